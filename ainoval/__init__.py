"""AINoval: the Django project, and the writing domain that background tasks work on."""
