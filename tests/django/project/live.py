"""What the application does while Tenantry keeps its tables: live.py ACTION [ARGUMENT…]

hash PASSWORD         prints a hash of it that an older Django made, with few iterations
log-in NAME PASSWORD  logs the user in; prints hash and time as they are then
orders                places an order in every tenant, by each of its members; prints how many
read-orders           prints every order with its tenant's slug and its user's name
meddle                changes, deletes and adds rows that are not its own
"""

import json
import sys

import django

django.setup()

from django.contrib import auth  # noqa: E402: there are no models before setup().
from django.contrib.auth.hashers import PBKDF2PasswordHasher  # noqa: E402
from django.contrib.auth.models import update_last_login  # noqa: E402
from shop.models import Order  # noqa: E402
from tenants.models import Tenant, TenantUser  # noqa: E402


def make_hash(password):
    return PBKDF2PasswordHasher().encode(password, "somesalt", iterations=1000)


def log_in(name, password):
    user = auth.authenticate(username=name, password=password)
    if user is None:
        sys.exit("the password is not accepted")
    update_last_login(None, user)
    user.refresh_from_db()
    return {"password": user.password, "last_login": user.last_login.isoformat()}


def place_orders():
    members = TenantUser.objects.all()
    Order.objects.bulk_create(
        Order(tenant_id=member.tenant_id, placed_by_id=member.user_id, total="12.50")
        for member in members
    )
    return len(members)


def read_orders():
    orders = Order.objects.select_related("tenant", "placed_by").order_by("pk")
    return [[order.pk, order.tenant.slug, order.placed_by.username] for order in orders]


def meddle():
    Tenant.objects.update(name="Somebody's")
    TenantUser.objects.filter(pk=TenantUser.objects.order_by("pk").last().pk).delete()


ACTIONS = {
    "hash": make_hash,
    "log-in": log_in,
    "orders": place_orders,
    "read-orders": read_orders,
    "meddle": meddle,
}
print(json.dumps(ACTIONS[sys.argv[1]](*sys.argv[2:])))
