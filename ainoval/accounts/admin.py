"""Users in the admin."""

from django.contrib import admin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.forms import AdminUserCreationForm, UserChangeForm

from ainoval.accounts.models import User


class UserCreation(AdminUserCreationForm):  # type: ignore[type-arg]
    """Django's form, for our model."""

    class Meta(AdminUserCreationForm.Meta):
        model = User


class UserChange(UserChangeForm):  # type: ignore[type-arg]
    """Django's form, for our model."""

    class Meta(UserChangeForm.Meta):
        model = User


@admin.register(User)
class UserAdmin(DjangoUserAdmin):  # type: ignore[type-arg]
    """Users, their permissions and passwords."""

    form = UserChange
    add_form = UserCreation
    readonly_fields = ("id", "last_login", "date_joined")
    search_fields = ("username", "first_name", "last_name", "email", "id")
