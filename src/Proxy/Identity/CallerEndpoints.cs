using System.Text.Json;
using System.Text.Json.Serialization;
using Proxy.Operations;

namespace Proxy.Identity;

/// <summary><c>/caller</c>: who the user is, for pages and programs that show it.</summary>
internal static class CallerEndpoints
{
    /// <summary>Maps <c>/caller</c>.</summary>
    public static void MapCaller(this IEndpointRouteBuilder routes) =>
        routes.MapRead("/caller", (HttpContext context, Reloadable<IdentityOptions> identity) =>
        {
            var caller = context.GetCaller();
            context.Response.Headers.CacheControl = "no-store";
            return TypedResults.Json(new CallerReport(
                caller.Name, RoleOptions.GetNames(caller.Roles), identity.Value.Authentication,
                caller.Expires == DateTimeOffset.MaxValue ? null : caller.Expires));
        }).RequiresCaller().WithSummary("Who the user is, and what they may do").Produces<CallerReport>();
}

/// <summary>What <c>GET /caller</c> answers.</summary>
/// <param name="Name">The name to show; empty without authentication.</param>
/// <param name="Roles">The names of the caller's roles.</param>
/// <param name="Authentication">The way that users authenticate.</param>
/// <param name="Expires">When the credential expires; null if it does not.</param>
internal sealed record CallerReport(
    string Name, IReadOnlyList<string> Roles, AuthenticationKind Authentication, DateTimeOffset? Expires);

/// <summary>How reports about callers are written.</summary>
[JsonSourceGenerationOptions(JsonSerializerDefaults.Web, UseStringEnumConverter = true)]
[JsonSerializable(typeof(CallerReport))]
[JsonSerializable(typeof(SignOutReport))]
internal sealed partial class CallerJson : JsonSerializerContext;
