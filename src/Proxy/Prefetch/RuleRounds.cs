using System.IO.Enumeration;
using Proxy.Backends;
using Proxy.Dicom;
using Proxy.Operations;
using Proxy.Prefetch.Jobs;
using Proxy.Prefetch.Planning;
using Proxy.Search;

namespace Proxy.Prefetch;

/// <summary>Looks every few minutes whether a rule of the settings has something to fetch.</summary>
public sealed class RuleRounds(
    PrefetchSearch search, BackendSet backends, JobRegistry registry, Reloadable<PrefetchOptions> options, TimeProvider time,
    ILogger<RuleRounds> log) : BackgroundService
{
    private static readonly TimeSpan Every = TimeSpan.FromMinutes(5);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(Every, time);
        try
        {
            while (await timer.WaitForNextTickAsync(stoppingToken))
            {
                foreach (var rule in options.Value.Rules.Where(rule => rule.IsOpen(TimeOnly.FromDateTime(time.GetLocalNow().DateTime))))
                    await FollowAsync(rule, stoppingToken);
            }
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // The process ends.
        }
    }

    private async Task FollowAsync(PrefetchRule rule, CancellationToken cancellation)
    {
        try
        {
            var scope = backends.AsOne;
            if (rule.Backends.Count > 0)
                scope = scope with
                {
                    Backends = [
                    .. scope.Backends.Where(b => rule.Backends.Contains(b.Name, StringComparer.OrdinalIgnoreCase))]
                };
            var today = DateOnly.FromDateTime(time.GetLocalNow().DateTime);
            var first = today.AddDays(1 - rule.MaxAge);
            var rows = await search.FindOfDaysAsync(scope, first, today, rule.Modalities, PrefetchPriority.Idle, cancellation);
            // What was fetched of late, or is just being fetched, is not fetched again.
            var known = registry.All.Select(holder => holder.Job).Where(job => job.IsLive
                || (job.State == JobState.Done && job.Errors.IsEmpty)).SelectMany(job => job.StudyUids).ToHashSet();
            var studies = rows.Where(row => IsMeant(rule, first, row)
                && !known.Contains(row.Uid)).Select(row => row.Uid).Take(rule.Studies).ToList();
            if (studies.Count > 0)
                registry.Add(PrefetchReason.Rule, PrefetchPriority.Idle, root: rule.Backends is [var only] ? only : "", [.. studies]);
        }
        catch (Exception e) when (e is not OperationCanceledException)
        {
            log.PrefetchFailed(e);
        }
    }

    /// <summary>Not every archive matches what it is asked to match.</summary>
    private static bool IsMeant(PrefetchRule rule, DateOnly first, MergedRow row) =>
        (rule.Description is null || FileSystemName.MatchesSimpleExpression(rule.Description, row.FindString(Tag.StudyDescription) ?? ""))
        && (rule.Modalities.Count == 0
            || row.Sources.Any(source => source.Row.FindStrings(Tag.ModalitiesInStudy).Any(modality => rule.Modalities.Contains(modality))))
        && string.CompareOrdinal(row.FindString(Tag.StudyDate), $"{first:yyyyMMdd}") >= 0;
}
