using Proxy.Dicom;
using Proxy.Disk;

namespace Proxy.Metadata.Persistence;

/// <summary>Removals from the engine and from memory.</summary>
internal sealed partial class PersistentStudyTable
{
    /// <summary>Removes a study from the engine and from memory; stops waiting when the engine does not answer.</summary>
    /// <returns>False when the study is still in the engine.</returns>
    public Task<bool> RemoveAsync(Uid uid) => RemoveBothAsync($"{uid}", engine => engine.RemoveAsync([uid]), () => _table.Drop(uid));

    /// <summary>Removes all studies from the engine and from memory; stops waiting when the engine does not answer.</summary>
    /// <returns>False when something is still in the engine.</returns>
    public Task<bool> RemoveAllAsync() => RemoveBothAsync("", engine => engine.RemoveAllAsync(), DropAll);

    /// <summary>Removes the answers of a backend from the engine and from memory; stops waiting when the engine does not answer.</summary>
    /// <returns>False when something is still in the engine.</returns>
    public async Task<bool> RemoveBackendAsync(string backend)
    {
        var emptied = new List<Uid>();
        return await RemoveBothAsync(
            backend,
            engine =>
            {
                _cleanFrom = 0;
                return engine.RemoveBackendAsync(backend);
            },
            () => emptied.AddRange(DropBackend(backend)),
            engine => emptied.Count == 0 ? Task.FromResult(true) : engine.RemoveAsync(emptied));
    }

    /// <summary>Removes the studies that no backend has confirmed since a time, from memory and from the engine.</summary>
    public async Task RemoveUnconfirmedAsync(DateTimeOffset before, CancellationToken cancellation)
    {
        await RemoveAsync([.. _table.Uids.Where(uid => _table.Peek(uid) is { } study && study.LastConfirmedAt < before)]);
        for (var from = 0L; _engine is not null && !cancellation.IsCancellationRequested;)
        {
            var (studies, next) = await _engine.FindUnconfirmedAsync(before, from);
            // A newer version in memory may not be written yet.
            await RemoveAsync([.. studies.Where(uid => _table.Peek(uid) is not { } study || study.LastConfirmedAt < before)]);
            if (next == 0) return;
            from = next;
        }
    }

    private async Task RemoveAsync(IReadOnlyList<Uid> studies)
    {
        if (studies.Count == 0) return;
        await RemoveBothAsync($"since {studies[0]}", engine => engine.RemoveAsync(studies), () =>
        {
            foreach (var uid in studies) _table.Drop(uid);
        });
    }

    /// <summary><see cref="RemoveBackendAsync"/>, and deletes the answers at once instead of little by little.</summary>
    /// <returns>False when something is still in the engine.</returns>
    public async Task<bool> PurgeBackendAsync(string backend)
    {
        var isRemoved = await RemoveBackendAsync(backend);
        var unheld = _table.Uids.Where(uid => _table.Peek(uid) is { HasHolder: false }).ToList();
        foreach (var uid in unheld) isRemoved &= await RemoveAsync(uid);
        if (_engine is null || !isRemoved) return isRemoved;
        if (!await _writing.WaitAsync(CacheFolder.Timeout)) return false;
        try
        {
            for (var from = 0L; (from = await _engine.RemoveUnconfiguredAsync(from)) > 0;)
            {
                // The next few studies.
            }
            return await _engine.ScrubAsync();
        }
        finally
        {
            _writing.Release();
        }
    }

    /// <summary>Removes the lists of a backend from memory; returns the studies that only it had.</summary>
    private List<Uid> DropBackend(string backend)
    {
        _table.InvalidateReads();
        var emptied = new List<Uid>();
        foreach (var uid in _table.Uids)
        {
            if (_table.Peek(uid)?.SeriesLists.ContainsKey(backend) != true) continue;
            _table.Update(
                uid,
                study => study with
                {
                    SeriesLists = study.SeriesLists.Remove(backend),
                    Owners = study.Owners.RemoveRange(study.Owners.Where(o => o.Value == backend).Select(o => o.Key)),
                });
            if (_table.DropIfEmpty(uid)) emptied.Add(uid);
        }
        return emptied;
    }

    private void DropAll()
    {
        _table.InvalidateReads();
        foreach (var uid in _table.Uids) _table.Drop(uid);
    }

    /// <summary>
    /// Removes from the engine first, then from memory: a study read from the engine in between is not admitted. Waits for a running
    /// flush and then for the engine: twice the patience.
    /// </summary>
    /// <param name="what">Identifies the removal; empty for that of all studies.</param>
    /// <param name="inEngine">The removal in the engine; made again before the next write when it fails.</param>
    /// <param name="inMemory">The removal in memory; done at once when the engine does not answer, so it must bear a repetition.</param>
    /// <param name="after">What the engine does after that; null for nothing.</param>
    private async Task<bool> RemoveBothAsync(
        string what, Func<IStudyPersistence, Task<bool>> inEngine, Action inMemory, Func<IStudyPersistence, Task<bool>>? after = null)
    {
        if (_engine is null)
        {
            inMemory();
            UnpackedBlocks.Clear();
            return true;
        }
        try
        {
            return await RemoveAsync(_engine).WaitAsync(2 * CacheFolder.Timeout);
        }
        catch (TimeoutException)
        {
            inMemory();
            return false;
        }

        async Task<bool> RemoveAsync(IStudyPersistence engine)
        {
            var hasLock = await _writing.WaitAsync(CacheFolder.Timeout);
            try
            {
                var isRemoved = await inEngine(engine) && hasLock;
                if (!isRemoved) _removals.Add(what, inEngine);
                inMemory();
                UnpackedBlocks.Clear();
                return after is null ? isRemoved : await after(engine) && isRemoved;
            }
            finally
            {
                if (hasLock) _writing.Release();
            }
        }
    }
}
