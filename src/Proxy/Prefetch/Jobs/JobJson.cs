namespace Proxy.Prefetch.Jobs;

/// <summary>A job as it is shown.</summary>
internal static class JobJson
{
    public static string NameOf(Why why) => why == Why.ReadAhead ? "read-ahead" : why.ToString().ToLowerInvariant();

    public static string NameOf(JobState state) => state.ToString().ToLowerInvariant();

    public static Dictionary<string, object?> Of(PrefetchJob job, DateTimeOffset now) => new(ProgressOf(job, now))
    {
        ["root"] = job.Root,
        ["StudyInstanceUIDs"] = job.StudyUids.Select(uid => uid.ToString()),
        ["created"] = job.Created,
        ["started"] = job.Started,
        ["ended"] = job.Ended,
        ["errors"] = job.Errors.Select(error => new Dictionary<string, string?> { ["study"] = error.Study.ToString(), ["item"] = error.Item, ["reason"] = error.Reason }),
    };

    /// <summary>How far it is, without what may be long.</summary>
    public static Dictionary<string, object?> ProgressOf(PrefetchJob job, DateTimeOffset now) => new()
    {
        ["id"] = job.Id,
        ["why"] = NameOf(job.Why),
        ["state"] = NameOf(job.State),
        ["waiting"] = job.Waiting,
        ["reason"] = job.Reason,
        ["studies"] = Of(job.Studies),
        ["series"] = Of(job.Series),
        ["instances"] = Of(job.Instances),
        ["frames"] = Of(job.Frames),
        ["bytes"] = Of(job.Bytes),
        ["cached"] = job.Cached,
        ["bytesPerSecond"] = job.RateAt(now),
    };

    private static Dictionary<string, long> Of(Progress progress) => new() { ["done"] = progress.Done, ["total"] = progress.Total };
}
