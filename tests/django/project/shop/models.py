from django.conf import settings
from django.db import models


class Order(models.Model):
    """What an application keeps of its own, for tenants and users that Tenantry writes."""

    tenant = models.ForeignKey("tenants.Tenant", on_delete=models.PROTECT, related_name="orders")
    placed_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT)
    total = models.DecimalField(max_digits=9, decimal_places=2)
