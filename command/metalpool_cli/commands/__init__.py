"""The commands; each file is loaded when it is used."""
