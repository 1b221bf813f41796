"""A Django project like the reference application's, on the database that DATABASE_URL names."""

import json
import os

import psycopg2.extensions


def database(url):
    if url.startswith("sqlite:"):
        return {"ENGINE": "django.db.backends.sqlite3", "NAME": url.removeprefix("sqlite:")}
    parts = psycopg2.extensions.parse_dsn(url)
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": parts["dbname"],
        "USER": parts.get("user", ""),
        "PASSWORD": parts.get("password", ""),
        "HOST": parts.get("host", ""),
        "PORT": parts.get("port", ""),
    }


SECRET_KEY = "for tests only"
INSTALLED_APPS = ["django.contrib.contenttypes", "django.contrib.auth", "core", "tenants",
                  "shop"]
DATABASES = {"default": database(os.environ["DATABASE_URL"])}
MIGRATION_MODULES = json.loads(os.environ.get("MIGRATION_MODULES", "{}"))
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_I18N = False
USE_TZ = True
TIME_ZONE = "UTC"
