using Proxy.Backends;
using Proxy.Cache;
using Proxy.Dicom;
using Proxy.Locating;
using Proxy.Metadata;
using Proxy.Operations;

namespace Proxy.Retrieve;

/// <summary>Asks one backend for the metadata of a series, and files it in the store.</summary>
public sealed class MetadataFetch(
    IArchive archive, SeriesLocator locator, DicomMetadataStore store, StudyInvalidation invalidation, TimeProvider time,
    ILogger<MetadataFetch> log)
{
    /// <summary>Requests the metadata of all instances of a series.</summary>
    /// <param name="backend">The backend.</param>
    /// <param name="path">The series.</param>
    /// <param name="known">The series as last known: the backend may confirm complete metadata by its validators.</param>
    /// <param name="purpose">A prefetch raises no event.</param>
    /// <param name="cancellation">Cancels the request.</param>
    /// <returns>The metadata; unchanged when the backend confirmed it; missing when the backend does not have the series.</returns>
    public async Task<BackendAnswer<PackedInstances>> AskAsync(
        BackendOptions backend, SeriesPath path, Series known, ReadPurpose purpose, CancellationToken cancellation)
    {
        var now = store.GetStudy(path.Study)?.GetList(backend.Name).FindSeries(path.Series);
        var revision = store.GetStudy(path.Study)?.GetList(backend.Name).Revision ?? 0;
        var validators = known.IsMetadataComplete ? known.MetadataValidators : null;
        var answer = await archive.ReadSeriesMetadataAsync(backend, path, validators, cancellation);
        if (IsEmpty(answer) && HasInstances(now))
        {
            // The answer contradicts the backend's own row: the row may be old, or the backend may still be indexing the series.
            if (await locator.RecheckAsync(backend, path.Study, cancellation) is { } failure) return new(failure);
            now = store.GetStudy(path.Study)?.GetList(backend.Name).FindSeries(path.Series);
            if (!HasInstances(now)) return default;
            answer = await archive.ReadSeriesMetadataAsync(backend, path, validators: null, cancellation);
            if (IsEmpty(answer))
                return new(
                    new BackendFailure(backend.Name, BackendError.BadAnswer, "no metadata for a series that it lists with instances"));
        }
        if (answer.IsUnchanged)
        {
            store.Confirm(backend.Name, path, time.GetUtcNow());
            return new() { IsUnchanged = true };
        }
        if (!answer.IsFound || answer.Value.Instances.Count == 0) return answer.Failure is { } failure ? new(failure) : default;
        var instances = answer.Value.Instances;
        if (instances.Skipped is var (datasets, _) && datasets > 0) log.RowsOmitted(backend.Name, datasets);
        if (instances.Skipped is var (_, attributes) && attributes > 0) log.AttributesOmitted(backend.Name, attributes);
        var gone = store.AddInstances(
            backend.Name, path, instances, answer.Value.Validators, now?.Summary,
            purpose == ReadPurpose.Prefetch, revision);
        invalidation.RemoveBodies(backend.Name, path, gone);
        return new(instances);
    }

    /// <summary>Removes a series that the backend no longer has, and its bodies.</summary>
    public void Remove(string backend, SeriesPath path) => invalidation.RemoveSeries(backend, path);

    /// <summary>True for an empty answer, but not for "not found".</summary>
    private static bool IsEmpty(BackendAnswer<SeriesMetadata> answer) =>
        answer.IsFound ? answer.Value.Instances.Count == 0 : answer is { IsMissing: false, IsUnchanged: false, Failure: null };

    /// <summary>
    /// True when the backend's row of the series says that it has instances. A row without a count means that it has some.
    /// </summary>
    private static bool HasInstances(Series? series) =>
        series?.Summary is { } row && row.FindInt(Tag.NumberOfSeriesRelatedInstances) is not 0;
}
