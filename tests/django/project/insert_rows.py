"""Writes one row into each table whose keys the database gives out, as the application would, and
prints the key of each: {"auth_user": 17, …}.
"""

import json

import django

django.setup()

from core.models import Protein, UserPreferences  # noqa: E402: no models before setup().
from django.contrib.auth import get_user_model  # noqa: E402
from django.db import transaction  # noqa: E402
from tenants.models import Tenant, TenantDomain, TenantUser  # noqa: E402


def main():
    with transaction.atomic():
        user = get_user_model().objects.create_user("made.by.django")
        tenant = Tenant.objects.first()
        rows = [
            user,
            Protein.objects.create(name="Made by Django"),
            UserPreferences.objects.create(user=user),
            TenantDomain.objects.create(tenant=tenant, domain="made-by-django.example"),
            TenantUser.objects.create(tenant=tenant, user=user),
        ]
    print(json.dumps({row._meta.db_table: row.pk for row in rows}))


main()
