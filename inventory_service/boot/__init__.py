"""What booting machines ask: no API token, plain HTTP behind the rack's nginx, no secrets without proof."""
