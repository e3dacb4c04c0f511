"""`omniforge connections`: accounts of outside services."""
