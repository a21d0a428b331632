using Proxy.Backends;
using Proxy.Cache;
using Proxy.Dicom;
using Proxy.Locating;
using Proxy.Metadata;
using Proxy.Operations;

namespace Proxy.Storing;

/// <summary>
/// Reads a changed study again, in the background: its series list, and the metadata of changed series that is in the store. The store
/// then announces what is new.
/// </summary>
/// <remarks>
/// One refresh of a study runs at a time, and one more follows if the study changes meanwhile: a modality may send each instance in its
/// own request.
/// </remarks>
public sealed class StudyRefresh(
    SeriesListReader lists, IArchive archive, DicomMetadataStore store, StudyInvalidation invalidation, ILogger<StudyRefresh> log)
{
    /// <summary>The limit of series per refresh; the metadata of further ones is read when a client requests it.</summary>
    private const int MaxSeries = 16;

    /// <summary>The running refreshes; true when the study has changed since the start.</summary>
    private readonly Dictionary<(string Backend, Uid Study), bool> _running = [];

    /// <summary>Starts a refresh, or lets the running one repeat.</summary>
    public void Start(BackendOptions backend, Uid study)
    {
        var key = (backend.Name, study);
        lock (_running)
        {
            if (!_running.TryAdd(key, true))
            {
                _running[key] = true;
                return;
            }
        }
        _ = CurrentPurpose.RunAsync(RequestPurpose.Revalidation, () => RunAsync(backend, study));
    }

    private async Task RunAsync(BackendOptions backend, Uid study)
    {
        // Do not hold up the client's answer.
        await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
        while (IsDue((backend.Name, study)))
        {
            try
            {
                await RefreshAsync(backend, study, CancellationToken.None);
            }
            catch (Exception e)
            {
                log.UnhandledException(e);
            }
        }
    }

    private bool IsDue((string Backend, Uid Study) key)
    {
        lock (_running)
        {
            if (_running[key])
            {
                _running[key] = false;
                return true;
            }
            _running.Remove(key);
            return false;
        }
    }

    private async Task RefreshAsync(BackendOptions backend, Uid study, CancellationToken cancellation)
    {
        using var lease = await store.LeaseAsync(study, cancellation);
        if (await lists.ReadAsync(backend, study, ReadPurpose.Client, cancellation) is not null) return;
        if (store.GetStudy(study)?.GetList(backend.Name) is not { } list) return;
        foreach (var series in list.Series.Values.Where(series => series.IsChanged).Take(MaxSeries))
        {
            var path = new SeriesPath(study, series.Uid);
            var answer = await archive.ReadSeriesMetadataAsync(backend, path, validators: null, cancellation);
            if (!answer.IsFound || answer.Value.Instances.Count == 0) continue;
            var gone = store.AddInstances(
                backend.Name, path, answer.Value.Instances, answer.Value.Validators, series.Summary, series.MetadataMadeInClient,
                list.Revision);
            invalidation.RemoveBodies(backend.Name, path, gone);
        }
    }
}
