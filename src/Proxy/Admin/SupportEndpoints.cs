using System.Reflection;
using System.Runtime.InteropServices;
using System.Text.RegularExpressions;
using Microsoft.AspNetCore.Http.HttpResults;
using Proxy.Admin.Reports;
using Proxy.Admin.Testing;
using Proxy.Backends;
using Proxy.Backends.Health;
using Proxy.Operations;

namespace Proxy.Admin;

/// <summary><c>/support-bundle</c>: what a vendor needs to help, without patient data, UIDs, secrets and addresses.</summary>
internal static partial class SupportEndpoints
{
    /// <summary>Maps <c>/support-bundle</c>.</summary>
    public static void MapSupport(this IEndpointRouteBuilder app) =>
        app.MapRead("/support-bundle", (
            HttpContext context, Reloadable<SettingsInForce> settings, BackendStates states, BackendTests tests, RecentWarnings warnings,
            CacheUse cache, TimeProvider time) => Answer(context, new SupportReport
            {
                At = time.GetUtcNow(),
                Version = typeof(SupportEndpoints).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()
                    ?.InformationalVersion ?? "unknown",
                Runtime = RuntimeInformation.FrameworkDescription,
                OperatingSystem = RuntimeInformation.OSDescription,
                Processors = Environment.ProcessorCount,
                ResidentBytes = Environment.WorkingSet,
                Settings = settings.Value.All,
                Backends = [.. context.GetAccess().Backends.Select(b => Describe(b.Name, states, tests))],
                Cache = cache.Read(context.GetAccess()),
                Warnings = [.. warnings.Read().Where(w => context.GetAccess().IsAll || w.Backend is null).Select(Describe)],
            })).WithSummary("A support bundle: versions, settings without secrets, states, last warnings; no patient data")
            .Produces<SupportReport>();

    private static JsonHttpResult<SupportReport> Answer(HttpContext context, SupportReport report)
    {
        context.Response.Headers.CacheControl = "no-store";
        context.Response.Headers.ContentDisposition = "attachment; filename=\"proxy-support.json\"";
        return TypedResults.Json(report);
    }

    private static SupportBackend Describe(string name, BackendStates states, BackendTests tests)
    {
        var state = states.Find(name);
        return new(
            name, state is null ? "unknown" : state.IsUp ? "up" : "down", state?.Since,
            states.GetCircuit(name).IsClosed ? "closed" : "open", tests.FindLast(name))
        {
            Asked = state?.Asked ?? 0,
            Failed = state?.Failed ?? 0,
            LastFailure = state?.LastFailure?.Summary,
        };
    }

    private static WarningReport Describe(LoggedWarning warning) => new()
    {
        Id = warning.Id,
        Time = warning.Time,
        Level = warning.Level == LogLevel.Warning ? "warning" : "error",
        Event = warning.Event.Id,
        Name = warning.Event.Name,
        Message = Uids().Replace(warning.Message, "(UID)"),
        Backend = warning.Backend,
        Count = warning.Count,
    };

    // An IPv4 address has four numbers, and a UID of an object more.
    [GeneratedRegex(@"[0-9]+(?:\.[0-9]+){4,}")]
    private static partial Regex Uids();
}
