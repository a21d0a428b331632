using System.Buffers;
using Proxy.Backends;
using Proxy.Dicom;
using Proxy.Locating;
using Proxy.Metadata;
using Proxy.Operations;
using Proxy.Prefetch.Jobs;
using Proxy.Prefetch.Planning;
using Proxy.Retrieve;
using Proxy.Wire;

namespace Proxy.Prefetch.Fetching;

/// <summary>Fetches one study of a job; each request takes a fetch slot.</summary>
/// <remarks>
/// <code>
/// 1 lists      the series list of each backend; failed backends are reported as job errors
/// 2 metadata   of every series, from its owner
/// 3 bodies     frames, whole instances and bulk data, in viewing order, unless they are cached
/// </code>
/// A slot that a client request cancels is acquired again later.
/// </remarks>
public sealed class StudyFetch(
    JobSlots slots, StudyListing listing, SeriesLocator locator, SeriesReader seriesReader, PixelFetch pixels, DicomMetadataStore store,
    Reloadable<PrefetchOptions> options)
{
    /// <summary>Fetches the study; failures become errors of the job.</summary>
    public async Task RunAsync(JobHandle job, Uid study, CancellationToken cancellation)
    {
        using var lease = await store.LeaseAsync(study, cancellation);
        // 1
        var access = await listing.GetAccessAsync(job, study, cancellation);
        var failures = await listing.ReadAsync(job, access, study, cancellation);
        var known = store.GetStudy(study);
        var series = PrefetchPlan.InViewingOrder(
            StudyListing.GetUids(known, access).Select(uid => locator.GetHolders(known, access, uid).First().FindSeries(uid)!));
        if (series.IsEmpty && failures.Count == 0) job.Update(j => j.With(new(study, null, "no backend has the study")));
        foreach (var failure in failures) job.Update(j => j.With(new(study, null, $"{failure.Backend}: {failure.Detail}")));
        if (series.IsEmpty) return;

        // 2
        job.Update(j => j with { Series = j.Series.Add(0, series.Length) });
        var parts = await Task.WhenAll(series.Select(one => ReadMetadataAsync(job, access, new(study, one.Uid), cancellation)));

        // 3
        await pixels.RunAsync(job, [.. parts.OfType<Backlog.SeriesBacklog>()], cancellation);
    }

    // 2
    private async Task<Backlog.SeriesBacklog?> ReadMetadataAsync(
        JobHandle job, Access access, SeriesPath path, CancellationToken cancellation)
    {
        if (locator.GetHolders(store.GetStudy(path.Study), access, path.Series).FirstOrDefault() is not { } owner) return null;
        var result = seriesReader.FindFresh(access, path)
            ?? await slots.RunAsync(
                job, owner.Backend, new(path.Study), stopped => seriesReader.PrefetchAsync(access, path, stopped), cancellation);
        if (result?.Metadata is not { } metadata)
        {
            job.Update(j => j.With(new(
                path.Study, $"series/{path.Series}",
                result?.Failures is [var failure, ..] ? failure.Detail : $"backend '{owner.Backend}' is unavailable")));
            return null;
        }
        if (job.Job.Instances.Total + metadata.Count > options.Value.MaxInstances)
        {
            var reason = $"exceeds the limit of {options.Value.MaxInstances} instances per job";
            job.Update(j => j.With(new(path.Study, $"series/{path.Series}", reason)));
            return null;
        }
        var items = PrefetchPlan.GetItems(await ReadAsync(metadata, cancellation));
        var others = metadata.Count - items.Select(item => item.Instance).Distinct().Count();
        job.Update(j => j with
        {
            Series = items.IsEmpty ? j.Series.Add(1) : j.Series,
            Instances = j.Instances.Add(others, metadata.Count),
            Frames = j.Frames.Add(0, items.Count(item => item.Frame is not null)),
            Items = j.Items.Add(0, items.Length),
        });
        return items.IsEmpty ? null : new(path, result.Backend, items);
    }

    private static async Task<List<(Uid, Dataset)>> ReadAsync(PackedInstances metadata, CancellationToken cancellation)
    {
        var instances = new List<(Uid, Dataset)>(metadata.Count);
        foreach (var piece in metadata.ReadText())
        {
            var text = new ArrayBufferWriter<byte>(piece.Length + 2);
            text.Write("["u8);
            DicomJsonWriter.Write(text, piece.Span.Trim(","u8), root: []);
            text.Write("]"u8);
            using var stream = new MemoryStream(text.WrittenSpan.ToArray());
            await foreach (var dataset in DicomJsonReader.ReadAsync(stream, cancellation))
            {
                if (dataset.FindUid(Tag.SopInstanceUid) is { } uid) instances.Add((uid, dataset));
            }
        }
        return instances;
    }
}
