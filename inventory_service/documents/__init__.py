"""Rows as the plain documents that answers, claims and pages show. No secrets, save in the claim of a worker."""
