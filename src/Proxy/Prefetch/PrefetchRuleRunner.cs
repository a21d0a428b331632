using System.IO.Enumeration;
using Proxy.Backends;
using Proxy.Dicom;
using Proxy.Identity;
using Proxy.Operations;
using Proxy.Prefetch.Jobs;
using Proxy.Prefetch.Planning;
using Proxy.Search;

namespace Proxy.Prefetch;

/// <summary>Runs the prefetch rules of the settings every five minutes.</summary>
public sealed class PrefetchRuleRunner(
    PrefetchSearch search, BackendSet backends, JobRegistry registry, Reloadable<PrefetchOptions> options, TimeProvider time,
    ILogger<PrefetchRuleRunner> log) : BackgroundService
{
    private static readonly TimeSpan Interval = TimeSpan.FromMinutes(5);

    /// <inheritdoc/>
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(Interval, time);
        try
        {
            while (await timer.WaitForNextTickAsync(stoppingToken))
            {
                foreach (var rule in options.Value.Rules.Where(rule => rule.IsActive(TimeOnly.FromDateTime(time.GetLocalNow().DateTime))))
                    await RunAsync(rule, stoppingToken);
            }
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // The process is stopping.
        }
    }

    private async Task RunAsync(PrefetchRule rule, CancellationToken cancellation)
    {
        try
        {
            var access = backends.AsOne with { Caller = Caller.Proxy };
            if (rule.Backends.Count > 0)
            {
                access = access with
                {
                    Backends = [.. access.Backends.Where(b => rule.Backends.Contains(b.Name, StringComparer.OrdinalIgnoreCase))],
                };
            }
            var today = DateOnly.FromDateTime(time.GetLocalNow().DateTime);
            var first = today.AddDays(1 - rule.MaxAge);
            var rows = await search.FindOfDaysAsync(access, first, today, rule.Modalities, PrefetchPriority.Idle, cancellation);
            // Skip studies of live jobs and of listed jobs that completed.
            var known = registry.All.Select(handle => handle.Job)
                .Where(job => job.IsLive || (job.State == JobState.Done && job.Errors.IsEmpty))
                .SelectMany(job => job.StudyUids).ToHashSet();
            var studies = rows.Where(row => Matches(rule, first, row) && !known.Contains(row.Uid))
                .Select(row => row.Uid).Take(rule.MaxStudies).ToList();
            if (studies.Count > 0)
            {
                var root = access with { Name = rule.Backends is [var only] ? only : "" };
                registry.Add(PrefetchReason.Rule, PrefetchPriority.Idle, root, [.. studies]);
            }
        }
        catch (Exception e) when (e is not OperationCanceledException)
        {
            log.PrefetchFailed(e);
        }
    }

    /// <summary>Repeats the matching, because some archives ignore query keys.</summary>
    private static bool Matches(PrefetchRule rule, DateOnly first, MergedRow row) =>
        (rule.Description is null || FileSystemName.MatchesSimpleExpression(rule.Description, row.FindString(Tag.StudyDescription) ?? ""))
        && (rule.Modalities.Count == 0
            || row.Sources.Any(source => source.Row.FindStrings(Tag.ModalitiesInStudy).Any(modality => rule.Modalities.Contains(modality))))
        && string.CompareOrdinal(row.FindString(Tag.StudyDate), $"{first:yyyyMMdd}") >= 0;
}
