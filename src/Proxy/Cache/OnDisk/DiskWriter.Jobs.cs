using Proxy.Operations;

namespace Proxy.Cache.OnDisk;

/// <summary>The jobs of the queue, one by one or in batches of writes.</summary>
public sealed partial class DiskWriter
{
    private void DoPostponed()
    {
        if (_postponed.Count == 0 || !_folder.State.CanWrite) return;
        var jobs = _postponed.ToList();
        _postponed.Clear();
        jobs.ForEach(Do);
    }

    private void WriteAll(List<DiskJob.Write> batch)
    {
        var stored = 0;
        try
        {
            if (batch.Count > 0 && _folder.State.CanWrite) stored = _entries.WriteAll(batch);
        }
        finally
        {
            Interlocked.Add(ref _dropped, batch.Count - stored);
            batch.ForEach(Queue.Done);
        }
        // The scan removes rows that could not be deleted with their folders.
        if (_index.HasFailedRemoval) _scan.RequestRescan();
    }

    /// <summary>Runs a job, or postpones it until the disk can be changed; reports the outcome to its caller.</summary>
    private void Do(DiskJob job)
    {
        try
        {
            if (_folder.State.CanWrite)
            {
                DoNow(job);
                return;
            }
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            HandleFailure(e);
        }
        if (job is DiskJob.Commit commit) commit.Done.TrySetResult(false);
        if (job is DiskJob.MakeRoom room) room.Done.TrySetResult(false);
        if (job is DiskJob.Remove remove) remove.Done.TrySetResult(false);
        // Another removal of older series follows anyway.
        if (job is not (DiskJob.Commit or DiskJob.MakeRoom or DiskJob.Expire)) _postponed.Add(job);
    }

    private void DoNow(DiskJob job)
    {
        switch (job)
        {
            case DiskJob.Commit commit:
                commit.Done.TrySetResult(_entries.TryCommit(commit.Spool, commit.IsPrefetched));
                break;
            case DiskJob.MakeRoom room:
                room.Done.TrySetResult(_entries.Budget.TryReserveSpoolWithEviction(room.Bytes));
                break;
            case DiskJob.Remove remove:
                _entries.Remove(remove.Removal);
                Queue.Done(remove);
                break;
            case DiskJob.Count count:
                if (Directory.Exists(_folder.GetPath("entries", EntryFile.GetFolder(count.Key))))
                    _entries.Recount(EntryFile.GetFolder(count.Key));
                _index.Count();
                break;
            case DiskJob.Expire expire:
                _entries.RemoveOlder(expire.Before);
                break;
            case DiskJob.RemoveUnconfigured:
                _entries.RemoveUnconfigured();
                break;
        }
    }

    /// <summary>Evicts while the disk is full, once per check of the folder.</summary>
    private void EvictWhenFull()
    {
        if (_folder.State is not { IsFull: true, CanRead: true } || _lastEviction is { } last && _time.GetElapsedTime(last) < EvictInterval)
            return;
        _lastEviction = _time.GetTimestamp();
        _scan.RequestRescan();
        _entries.EvictWhenFull();
    }

    /// <summary>Handles a disk failure half-way through a change: the folder is scanned again when possible.</summary>
    private void HandleFailure(Exception e)
    {
        _log.DiskWriterFailed(e);
        _folder.Fail(e, wasWriting: true);
        _scan.RequestRescan();
    }
}
