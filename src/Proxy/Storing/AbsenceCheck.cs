using Proxy.Backends;
using Proxy.Dicom;
using Proxy.Locating;
using Proxy.Metadata;
using Proxy.Operations;

namespace Proxy.Storing;

/// <summary>Checks that a backend did not hold an instance before a client stored it there.</summary>
/// <remarks>
/// Archives disagree on an instance that they hold already: some keep the first, some the last, and most report success for both. Only an
/// instance that was absent is certainly held as it was sent. The proof is a series list of the backend that lacks the instance. When
/// the list is old it is read again, while the instance is on its way: if the list then has its series, nothing is proved.
/// </remarks>
public sealed class AbsenceCheck(SeriesListReader lists, DicomMetadataStore store, SeriesListTiming timing, ILogger<AbsenceCheck> log)
{
    /// <summary>True when the instance was absent. False proves nothing.</summary>
    public async Task<bool> IsAbsentAsync(BackendOptions backend, InstancePath path, CancellationToken cancellation)
    {
        try
        {
            using var lease = await store.LeaseAsync(path.Study, cancellation);
            var list = store.GetStudy(path.Study)?.GetList(backend.Name);
            // A modality that stores a study in many requests: the list is read after each of them anyway (StudyRefresh).
            if (list?.IsChangedSinceListed == true) return false;
            if (timing.IsKnown(list)) return list!.Lacks(path);
            // The body does not wait for the sending of this request.
            await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
            if (await CurrentPurpose.RunAsync(
                    RequestPurpose.Revalidation, () => lists.ReadAsync(backend, path.Study, ReadPurpose.Client, cancellation)) is not null)
                return false;
            return store.GetStudy(path.Study)?.GetList(backend.Name).Lacks(path) == true;
        }
        catch (OperationCanceledException)
        {
            return false;
        }
        catch (Exception e)
        {
            log.UnhandledException(e);
            return false;
        }
    }
}
