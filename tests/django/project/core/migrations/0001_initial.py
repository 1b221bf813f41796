from django.conf import settings
from django.db import migrations, models

ID = {"auto_created": True, "primary_key": True, "serialize": False, "verbose_name": "ID"}


class Migration(migrations.Migration):
    initial = True
    dependencies = [migrations.swappable_dependency(settings.AUTH_USER_MODEL)]
    operations = [
        migrations.CreateModel(
            name="Protein",
            fields=[
                ("id", models.BigAutoField(**ID)),
                ("name", models.CharField(max_length=50, unique=True)),
            ],
        ),
        migrations.CreateModel(
            name="UserPreferences",
            fields=[
                ("id", models.BigAutoField(**ID)),
                ("theme", models.CharField(default="light", max_length=20)),
                ("dashboard_layout", models.JSONField(default=dict)),
                ("sidebar_collapsed", models.BooleanField(default=False)),
                ("quick_menu_items", models.JSONField(default=list)),
                ("widget_preferences", models.JSONField(default=dict)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("updated_at", models.DateTimeField(auto_now=True)),
                (
                    "user",
                    models.OneToOneField(
                        settings.AUTH_USER_MODEL,
                        on_delete=models.CASCADE,
                        related_name="preferences",
                    ),
                ),
            ],
        ),
    ]
