using Proxy.Audit.Delivery;
using Proxy.Audit.Sinks;
using Proxy.Dicom;
using Proxy.Operations;

namespace Proxy.Audit;

/// <summary>Registers the audit, and its place in the pipeline.</summary>
internal static class AuditServices
{
    /// <summary>Adds the audit; nothing if no sink is configured.</summary>
    /// <param name="services">The services.</param>
    /// <param name="options">The settings.</param>
    /// <param name="patients">Finds the patient of a study without asking a backend.</param>
    public static void AddAudit(
        this IServiceCollection services, AuditOptions options,
        Func<IServiceProvider, Uid, CancellationToken, ValueTask<AuditPatient?>> patients)
    {
        if (!options.IsOn) return;
        services.AddSingleton(s => new Outbox(
            options, [.. CreateSinks(options, GetClock(s))], GetClock(s), s.GetRequiredService<ILogger<Outbox>>()));
        services.AddSingleton(s => new AuditTrail(
            options, s.GetRequiredService<Outbox>(), (study, stopped) => patients(s, study, stopped), GetClock(s),
            s.GetRequiredService<ILogger<AuditTrail>>()));
        services.AddHostedService(s => s.GetRequiredService<AuditTrail>());
        services.OnReload<ChangedSettings, AuditTrail>((trail, changed) => trail.Add(AuditRecords.CreateForProxy(
            AuditEvent.SecurityAlert,
            changed.Keys.Any(key => key.StartsWith("Security", StringComparison.OrdinalIgnoreCase))
                ? AuditEventType.SecurityConfiguration
                : AuditEventType.SoftwareConfiguration,
            trail.Now, "changed settings: " + SettingsSnapshot.Show(changed.Keys))));
    }

    /// <summary>Records requests from here on. Nothing runs if the audit is off.</summary>
    public static void UseAudit(this IApplicationBuilder app)
    {
        if (app.ApplicationServices.GetService<AuditTrail>() is not null) app.UseMiddleware<RequestAudit>();
    }

    /// <summary>Refuses requests while records cannot be written. Nothing runs if the settings do not ask for it.</summary>
    public static void UseAuditGate(this IApplicationBuilder app, AuditOptions options)
    {
        if (options is { IsOn: true, OnFailure: AuditFailureMode.Refuse }) app.UseMiddleware<AuditGate>();
    }

    private static IEnumerable<IAuditSink> CreateSinks(AuditOptions options, TimeProvider time)
    {
        if (options.Path is { } path) yield return new FhirFile(path, options.MaxFileBytes, options.SourceId, time);
        if (options.Syslog is not null) yield return new SyslogConnection(options, time);
    }

    /// <summary>Records state the true time of day, also after a correction of the machine's clock.</summary>
    private static TimeProvider GetClock(IServiceProvider services) =>
        services.GetRequiredService<TimeProvider>() is var time && time is SteadyTimeProvider steady ? steady.Machine : time;
}
