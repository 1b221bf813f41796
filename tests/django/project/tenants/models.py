import uuid

from django.conf import settings
from django.db import models

User = settings.AUTH_USER_MODEL


class Tenant(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    name = models.CharField(max_length=255)
    slug = models.SlugField(max_length=100, unique=True, db_index=False)
    schema_name = models.CharField(max_length=63, unique=True, null=True)
    domain = models.CharField(max_length=255, null=True)
    contact_email = models.EmailField()
    contact_phone = models.CharField(max_length=20)
    is_active = models.BooleanField(default=True)
    is_trial = models.BooleanField(default=False)
    trial_ends_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)
    settings = models.JSONField(default=dict)
    logo = models.CharField(max_length=100, null=True)
    created_by = models.ForeignKey(
        User, on_delete=models.SET_NULL, null=True, related_name="created_tenants"
    )

    class Meta:
        indexes = [
            models.Index(fields=["slug"], name="tenants_ten_slug_63daca_idx"),
            models.Index(fields=["is_active"], name="tenants_ten_is_acti_8f654a_idx"),
            models.Index(fields=["created_at"], name="tenants_ten_created_99c6ff_idx"),
        ]


class TenantDomain(models.Model):
    domain = models.CharField(max_length=253, unique=True)
    is_primary = models.BooleanField(default=False)
    is_active = models.BooleanField(default=True)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="domains")

    class Meta:
        indexes = [
            models.Index(fields=["domain"], name="td_domain_idx"),
            models.Index(fields=["tenant", "is_primary"], name="td_tenant_primary_idx"),
        ]


class TenantUser(models.Model):
    role = models.CharField(max_length=20, default="user")
    is_active = models.BooleanField(default=True)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="members")
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="memberships")

    class Meta:
        db_table = "tenants_tenant_user"
        unique_together = [("tenant", "user")]
        indexes = [
            models.Index(fields=["tenant", "is_active"], name="tenants_ten_tenant__78b8df_idx"),
            models.Index(fields=["user", "is_active"], name="tenants_ten_user_id_d07440_idx"),
        ]


class Invitation(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    token = models.CharField(max_length=64, unique=True)
    email = models.EmailField()
    role = models.CharField(max_length=20, default="user")
    status = models.CharField(max_length=20, default="pending")
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField()
    accepted_at = models.DateTimeField(null=True)
    message = models.TextField()
    accepted_by = models.ForeignKey(
        User, on_delete=models.SET_NULL, null=True, related_name="accepted_invitations"
    )
    invited_by = models.ForeignKey(
        User, on_delete=models.SET_NULL, null=True, related_name="sent_invitations"
    )
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="invitations")

    class Meta:
        indexes = [
            models.Index(fields=["token"], name="tenants_inv_token_9e2edb_idx"),
            models.Index(fields=["email", "status"], name="tenants_inv_email_74dee3_idx"),
            models.Index(fields=["tenant", "status"], name="tenants_inv_tenant__acc54c_idx"),
            models.Index(fields=["expires_at"], name="tenants_inv_expires_181628_idx"),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "email"],
                condition=models.Q(status="pending"),
                name="unique_pending_invitation_per_tenant_email",
            )
        ]
