import uuid

from django.conf import settings
from django.db import migrations, models

ID = {"auto_created": True, "primary_key": True, "serialize": False, "verbose_name": "ID"}
BIG_ID = ("id", models.BigAutoField(**ID))
UUID = ("id", models.UUIDField(default=uuid.uuid4, primary_key=True, serialize=False))
CREATED = ("created_at", models.DateTimeField(auto_now_add=True))
UPDATED = ("updated_at", models.DateTimeField(auto_now=True))
ACTIVE = ("is_active", models.BooleanField(default=True))


def owner(related_name):
    key = models.ForeignKey("tenants.tenant", models.CASCADE, related_name=related_name)
    return ("tenant", key)


def user(name, related_name, required=False):
    key = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.CASCADE if required else models.SET_NULL,
        null=not required,
        related_name=related_name,
    )
    return (name, key)


class Migration(migrations.Migration):
    initial = True
    dependencies = [migrations.swappable_dependency(settings.AUTH_USER_MODEL)]
    operations = [
        migrations.CreateModel(
            name="Tenant",
            fields=[
                UUID,
                ("name", models.CharField(max_length=255)),
                ("slug", models.SlugField(db_index=False, max_length=100, unique=True)),
                ("schema_name", models.CharField(max_length=63, null=True, unique=True)),
                ("domain", models.CharField(max_length=255, null=True)),
                ("contact_email", models.EmailField(max_length=254)),
                ("contact_phone", models.CharField(max_length=20)),
                ACTIVE,
                ("is_trial", models.BooleanField(default=False)),
                ("trial_ends_at", models.DateTimeField(null=True)),
                CREATED,
                UPDATED,
                ("settings", models.JSONField(default=dict)),
                ("logo", models.CharField(max_length=100, null=True)),
                user("created_by", "created_tenants"),
            ],
            options={
                "indexes": [
                    models.Index(fields=["slug"], name="tenants_ten_slug_63daca_idx"),
                    models.Index(fields=["is_active"], name="tenants_ten_is_acti_8f654a_idx"),
                    models.Index(fields=["created_at"], name="tenants_ten_created_99c6ff_idx"),
                ]
            },
        ),
        migrations.CreateModel(
            name="TenantDomain",
            fields=[
                BIG_ID,
                ("domain", models.CharField(max_length=253, unique=True)),
                ("is_primary", models.BooleanField(default=False)),
                ACTIVE,
                CREATED,
                UPDATED,
                owner("domains"),
            ],
            options={
                "indexes": [
                    models.Index(fields=["domain"], name="td_domain_idx"),
                    models.Index(fields=["tenant", "is_primary"], name="td_tenant_primary_idx"),
                ]
            },
        ),
        migrations.CreateModel(
            name="TenantUser",
            fields=[
                BIG_ID,
                ("role", models.CharField(default="user", max_length=20)),
                ACTIVE,
                CREATED,
                UPDATED,
                owner("members"),
                user("user", "memberships", required=True),
            ],
            options={
                "db_table": "tenants_tenant_user",
                "unique_together": {("tenant", "user")},
                "indexes": [
                    models.Index(
                        fields=["tenant", "is_active"], name="tenants_ten_tenant__78b8df_idx"
                    ),
                    models.Index(
                        fields=["user", "is_active"], name="tenants_ten_user_id_d07440_idx"
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Invitation",
            fields=[
                UUID,
                ("token", models.CharField(max_length=64, unique=True)),
                ("email", models.EmailField(max_length=254)),
                ("role", models.CharField(default="user", max_length=20)),
                ("status", models.CharField(default="pending", max_length=20)),
                CREATED,
                ("expires_at", models.DateTimeField()),
                ("accepted_at", models.DateTimeField(null=True)),
                ("message", models.TextField()),
                user("accepted_by", "accepted_invitations"),
                user("invited_by", "sent_invitations"),
                owner("invitations"),
            ],
            options={
                "indexes": [
                    models.Index(fields=["token"], name="tenants_inv_token_9e2edb_idx"),
                    models.Index(fields=["email", "status"], name="tenants_inv_email_74dee3_idx"),
                    models.Index(
                        fields=["tenant", "status"], name="tenants_inv_tenant__acc54c_idx"
                    ),
                    models.Index(fields=["expires_at"], name="tenants_inv_expires_181628_idx"),
                ]
            },
        ),
        migrations.AddConstraint(
            model_name="Invitation",
            constraint=models.UniqueConstraint(
                fields=["tenant", "email"],
                condition=models.Q(status="pending"),
                name="unique_pending_invitation_per_tenant_email",
            ),
        ),
    ]
