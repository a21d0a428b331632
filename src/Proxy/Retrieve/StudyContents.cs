using Proxy.Backends;
using Proxy.Dicom;
using Proxy.Locating;
using Proxy.Operations;

namespace Proxy.Retrieve;

/// <summary>The contents of a whole-study answer. While a backend fails, its last known series list decides.</summary>
/// <param name="Series">The available series with their metadata, in order of their UIDs.</param>
/// <param name="Missing">The series that only failed backends hold, each with the failures.</param>
/// <param name="Failures">The backends whose current series list is not known, or that did not give a series that another gave.</param>
public sealed record StudyContents(
    IReadOnlyList<(Uid Uid, SeriesResult Result)> Series, IReadOnlyList<(Uid Uid, IReadOnlyList<BackendFailure> Failures)> Missing,
    IReadOnlyList<BackendFailure> Failures)
{
    /// <summary>Reads the series of a study and separates the available from the missing.</summary>
    /// <param name="places">The series lists of the study and the backends that failed.</param>
    /// <param name="access">The backends that the client may use.</param>
    /// <param name="read">Reads the metadata of one series.</param>
    /// <param name="hasBodies">Decides whether all instances of a series are cached; called only when its holders failed.</param>
    public static async Task<StudyContents> ReadAsync(
        StudyHolders places, Access access, Func<Uid, Task<SeriesResult>> read, Func<Uid, SeriesResult, Task<bool>> hasBodies)
    {
        List<(Uid, SeriesResult)> series = [];
        List<(Uid, IReadOnlyList<BackendFailure>)> missing = [];
        var uids = places.GetSeries(access);
        var results = await Task.WhenAll(uids.Select(read));
        foreach (var (uid, result) in uids.Zip(results))
        {
            if (result.Metadata is null)
            {
                // Without a failure, every backend reports that it no longer has the series.
                if (result.Failures.Count > 0) missing.Add((uid, result.Failures));
            }
            else if (places.FindFailedHolders(access, uid) is { Count: > 0 } failed && !await hasBodies(uid, result))
            {
                missing.Add((uid, failed));
            }
            else
            {
                series.Add((uid, result));
            }
        }
        var passedOver = series.SelectMany(one => one.Item2.Failures);
        return new(series, missing, [.. places.Failures.Concat(passedOver).DistinctBy(failure => failure.Backend)]);
    }

    /// <summary>
    /// The problem to answer with; null when the study can be served. A partial study is served only if the settings allow it.
    /// </summary>
    /// <param name="context">The request.</param>
    /// <param name="study">The study.</param>
    /// <param name="options">Whether a partial study is served.</param>
    internal IResult? FindProblem(HttpContext context, Uid study, RetrieveOptions options)
    {
        if (Series.Count > 0 && (Missing.Count == 0 || options.AllowPartial)) return null;
        if (Series.Count > 0) return Problems.Incomplete(DescribeFailures());
        var failures = Missing.SelectMany(m => m.Failures).Concat(Failures).DistinctBy(f => f.Backend).ToList();
        return failures.Count > 0
            ? failures.ToProblem()
            : context.ToMissingProblem(new StudyPath(study).ToString(), "No backend holds this study.");
    }

    /// <summary>Warns of the failed backends and the missing series. Call it last: it makes a partial answer uncacheable.</summary>
    public void Warn(HttpResponse response)
    {
        response.AddWarnings([.. Failures.Concat(Missing.SelectMany(m => m.Failures)).DistinctBy(f => f.Backend)]);
        if (Missing.Count > 0) response.AddWarning($"The study is incomplete: {DescribeFailures()}");
    }

    private string DescribeFailures()
    {
        var shown = Missing.Take(10)
            .Select(m => $"series {m.Uid} ({string.Join(", ", m.Failures.Select(f => $"{f.Backend}: {f.Reason}"))})");
        return $"{Missing.Count} of {Series.Count + Missing.Count} series are not available: "
            + $"{string.Join("; ", shown)}{(Missing.Count > 10 ? "; …" : "")}";
    }
}
