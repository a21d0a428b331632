using Proxy.Operations;

namespace Proxy.Cluster.Changes;

/// <summary>What earlier processes left in the cache folder, and how far it is purged.</summary>
internal sealed partial class ChangeLog
{
    /// <summary>How often the position is saved: a process that was killed applies the changes since then again.</summary>
    private static readonly TimeSpan SaveInterval = TimeSpan.FromSeconds(2);

    /// <summary>The changes that are being applied to the disk.</summary>
    private readonly List<Task<bool>> _onDisk = [];

    private (LogPosition Position, Task<bool[]> Applied)? _saving;
    private LogPosition? _saved;
    private long _savedAt;
    private bool _isStarted, _isCaughtUp, _isIncomplete;

    /// <summary>Remembers the rest of a log that is read for the first time.</summary>
    private async Task<long> RememberAsync(Guid epoch, long number, CancellationToken cancellation)
    {
        while (await ReadPageAsync(new(epoch, 0), number, cancellation) is { Lines.Length: > 0 } page && page.Epoch == epoch)
        {
            foreach (var line in page.Lines) number = await FollowAsync(line, epoch, isNews: false);
        }
        return number;
    }

    /// <summary>
    /// Applies to the cache folder what it missed before the start. A folder that cannot be read yet, such as one that the previous process
    /// still owns, waits for that.
    /// </summary>
    private async Task<bool> CatchUpAsync(CancellationToken cancellation)
    {
        if (_isCaughtUp) return true;
        // A node without a folder that has served no request yet has nothing to purge.
        if (!_file.IsUsed && !_isStarted) return _isCaughtUp = true;
        if ((_file.IsUsed ? await _file.ReadAsync(cancellation) : new(null)) is not { } found) return true;
        var now = Position!;
        if (found.Position is { } stored && !Has(stored, now))
        {
            await DropAllAsync();
            return _isCaughtUp = true;
        }
        var after = found.Position?.Number ?? 0;
        while (after < now.Number)
        {
            if (await ReadPageAsync(now, after, cancellation) is not { } page) return false;
            if (page.Epoch != now.Epoch || page.Lines.Length == 0) break;
            foreach (var line in page.Lines) after = await FollowAsync(line, page.Epoch, isNews: true);
        }
        return _isCaughtUp = true;
    }

    /// <summary>True when the log has all changes since a position.</summary>
    private bool Has(LogPosition stored, LogPosition now) =>
        stored.Epoch == now.Epoch && stored.Number <= now.Number && (stored.Number == now.Number || stored.Number >= _known.Lowest - 1);

    private async Task DropAllAsync()
    {
        _log.LocalCacheDropped();
        _onDisk.Add(Task.FromResult(await _application.Value.DropAllAsync()));
    }

    /// <summary>Saves a position once all changes up to it are applied to the disk.</summary>
    private async Task SaveAsync(CancellationToken cancellation)
    {
        // A change that could not be applied to the disk is read again by the next process.
        if (!_isCaughtUp || _isIncomplete || !_file.IsUsed || Position is not { } now) return;
        if (_saving is null)
        {
            if (now == _saved || _saved is not null && _time.GetElapsedTime(_savedAt) < SaveInterval) return;
            _saving = (now, Task.WhenAll([.. _onDisk]));
            _onDisk.Clear();
        }
        if (_saving is not var (position, applied) || !applied.IsCompleted) return;
        if (!applied.IsCompletedSuccessfully || !Array.TrueForAll(await applied, isApplied => isApplied)) _isIncomplete = true;
        else if (await _file.WriteAsync(position, cancellation)) (_saved, _savedAt, _saving) = (position, _time.GetTimestamp(), null);
    }
}
