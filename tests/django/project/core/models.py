from django.conf import settings
from django.db import models


class Protein(models.Model):
    name = models.CharField(max_length=50, unique=True)


class UserPreferences(models.Model):
    theme = models.CharField(max_length=20, default="light")
    dashboard_layout = models.JSONField(default=dict)
    sidebar_collapsed = models.BooleanField(default=False)
    quick_menu_items = models.JSONField(default=list)
    widget_preferences = models.JSONField(default=dict)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)
    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="preferences"
    )
