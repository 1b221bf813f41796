from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True
    dependencies = [
        ("tenants", "0001_initial"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]
    operations = [
        migrations.CreateModel(
            name="Order",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("total", models.DecimalField(decimal_places=2, max_digits=9)),
                (
                    "placed_by",
                    models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT),
                ),
                (
                    "tenant",
                    models.ForeignKey("tenants.tenant", models.PROTECT, related_name="orders"),
                ),
            ],
        ),
    ]
