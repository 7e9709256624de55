"""Users in the admin."""

from collections.abc import Sequence

from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.forms import AdminUserCreationForm, UserChangeForm
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext as _
from rest_framework_simplejwt.token_blacklist.admin import OutstandingTokenAdmin
from rest_framework_simplejwt.token_blacklist.models import OutstandingToken

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

    def get_deleted_objects(self, objs: Sequence[User] | QuerySet[User], request: HttpRequest) -> tuple[list[str], dict[str, int], set[str], list[str]]:
        """Keep the accounts that the record of what staff did to tasks names: its lines would be deleted with them."""
        deleted, counts, lacking, kept = super().get_deleted_objects(objs, request)
        lines = LogEntry.objects.filter(user__in=objs, content_type__app_label="tasks_app", content_type__model="backgroundtask")
        names = lines.order_by("user__username").values_list("user__username", flat=True).distinct()
        text = _("The record of what %(user)s did to tasks: make the account inactive instead.")
        return deleted, counts, lacking, [*kept, *(text % {"user": name} for name in names)]


admin.site.unregister(OutstandingToken)  # registered by the import above


@admin.register(OutstandingToken)
class IssuedTokens(OutstandingTokenAdmin):
    """Which refresh tokens there are, without the tokens: who reads one can act as its user."""

    fields = ("user", "jti", "created_at", "expires_at")
