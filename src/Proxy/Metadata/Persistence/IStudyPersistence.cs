using Proxy.Dicom;

namespace Proxy.Metadata.Persistence;

/// <summary>Studies that outlive the process. An engine that cannot be used behaves as an empty one; no member throws for it.</summary>
/// <remarks>The properties and <see cref="MayHave"/> never wait for the engine.</remarks>
public interface IStudyPersistence
{
    /// <summary>True when studies can be written now.</summary>
    public bool CanWrite { get; }

    /// <summary>Grows when earlier writes are lost.</summary>
    public int Generation { get; }

    /// <summary>The number of studies that can be read.</summary>
    public int Count { get; }

    /// <summary>True when the engine may have the study. False is certain while it can be read.</summary>
    public bool MayHave(Uid uid);

    /// <summary>Prepares <see cref="Count"/> and <see cref="MayHave"/> after the engine was opened or its content was replaced.</summary>
    /// <returns>The highest sequence number of a use; 0 when there was nothing to prepare.</returns>
    public Task<long> OpenAsync();

    /// <summary>Reads a study.</summary>
    /// <returns>Nothing when the engine has none, cannot be used, or does not answer in time.</returns>
    public Task<FoundStudy> FindAsync(Uid uid, CancellationToken cancellation);

    /// <summary><see cref="FindAsync"/> for a caller that has no lease of the study and cannot wait asynchronously.</summary>
    public FoundStudy FindBlocking(Uid uid);

    /// <summary>Reads UIDs in order.</summary>
    /// <param name="after">The UID to start after.</param>
    /// <param name="max">The maximum number.</param>
    /// <param name="cancellation">Ends the wait.</param>
    /// <returns>No UID when the engine cannot be used, or does not answer in time.</returns>
    public Task<IReadOnlyList<Uid>> FindUidsAsync(Uid after, int max, CancellationToken cancellation);

    /// <summary>Writes studies, all or none.</summary>
    /// <param name="studies">Each with the sequence number of its last use.</param>
    /// <param name="uses">Further studies with only a new last use.</param>
    /// <returns>The generation written to; null when nothing was written.</returns>
    public Task<int?> WriteAsync(IReadOnlyCollection<(Study Study, long Used)> studies, IReadOnlyCollection<(Uid Uid, long Used)> uses);

    /// <summary>Removes studies. None of them is found from now on, and no byte of them is left in the engine.</summary>
    /// <returns>False when they cannot be removed now, and would be found again by another process.</returns>
    public Task<bool> RemoveAsync(IReadOnlyCollection<Uid> studies);

    /// <summary>Removes all studies. None is found from now on, and no byte of them is left in the engine.</summary>
    /// <returns>False when they cannot be removed now, and would be found again by another process.</returns>
    public Task<bool> RemoveAllAsync();

    /// <summary>Invalidates the data of a backend by its name; <see cref="RemoveUnconfiguredAsync"/> deletes it.</summary>
    /// <returns>False when the engine cannot be changed.</returns>
    public Task<bool> RemoveBackendAsync(string name);

    /// <summary>Deletes the data of removed backends, a few studies per call, and the studies that only they had.</summary>
    /// <param name="from">The position to continue from; 0 at first.</param>
    /// <returns>The position to continue from; 0 when nothing is left.</returns>
    public Task<long> RemoveUnconfiguredAsync(long from);

    /// <summary>Finds studies that no backend has confirmed for long, a few hundred per call.</summary>
    /// <param name="before">The time since when they were not confirmed.</param>
    /// <param name="from">The position to continue from; 0 at first.</param>
    /// <returns>The studies, and the position to continue from; 0 when there are no more.</returns>
    public Task<(IReadOnlyList<Uid> Studies, long Next)> FindUnconfirmedAsync(DateTimeOffset before, long from);

    /// <summary>Makes earlier removals final: no byte of what was removed is left in the engine.</summary>
    /// <returns>False when the engine cannot be changed now.</returns>
    public Task<bool> ScrubAsync();

    /// <summary>Removes the least recently used studies until nine tenths of the budget remain; only when the budget is exceeded.</summary>
    /// <param name="maxBytes">The budget, in bytes.</param>
    public Task EvictAsync(long maxBytes);
}
