namespace Proxy.Prefetch.Jobs;

/// <summary>The JSON of a job in the API and in events.</summary>
internal static class JobJson
{
    public static string GetName(PrefetchReason reason) =>
        reason == PrefetchReason.ReadAhead ? "read-ahead" : reason.ToString().ToLowerInvariant();

    public static string GetName(JobState state) => state.ToString().ToLowerInvariant();

    public static Dictionary<string, object?> Create(PrefetchJob job, DateTimeOffset now) => new(FindProgress(job, now))
    {
        ["root"] = job.Root,
        ["StudyInstanceUIDs"] = job.StudyUids.Select(uid => uid.ToString()),
        ["created"] = job.Created,
        ["started"] = job.Started,
        ["ended"] = job.Ended,
        ["errors"] = job.Errors.Select(error => new Dictionary<string, string?>
        {
            ["study"] = error.Study.ToString(),
            ["item"] = error.Item,
            ["reason"] = error.Reason,
        }),
    };

    /// <summary>The progress, without the members that may be long.</summary>
    public static Dictionary<string, object?> FindProgress(PrefetchJob job, DateTimeOffset now) => new()
    {
        ["id"] = job.Id,
        ["why"] = GetName(job.Reason),
        ["state"] = GetName(job.State),
        ["waiting"] = job.Waiting,
        ["reason"] = job.CancelledBecause,
        ["studies"] = Create(job.Studies),
        ["series"] = Create(job.Series),
        ["instances"] = Create(job.Instances),
        ["frames"] = Create(job.Frames),
        ["bytes"] = Create(job.Bytes),
        ["cached"] = job.Cached,
        ["bytesPerSecond"] = job.RateAt(now),
    };

    private static Dictionary<string, long> Create(Progress progress) => new() { ["done"] = progress.Done, ["total"] = progress.Total };
}
