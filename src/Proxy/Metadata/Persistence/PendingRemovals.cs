using System.Collections.Concurrent;

namespace Proxy.Metadata.Persistence;

/// <summary>Removals that an engine could not make. They are made before the next write.</summary>
internal sealed class PendingRemovals
{
    /// <summary>The most removals to make one by one; more of them become the removal of all studies.</summary>
    private const int Max = 1000;

    private readonly ConcurrentDictionary<string, Func<IStudyPersistence, Task<bool>>> _removals = new();

    /// <summary>Adds a removal.</summary>
    /// <param name="what">Identifies what is removed; empty for all studies.</param>
    /// <param name="removal">The removal; returns false when the engine cannot make it.</param>
    public void Add(string what, Func<IStudyPersistence, Task<bool>> removal)
    {
        if (_removals.Count < Max) _removals[what] = removal;
        else _removals[""] = static engine => engine.RemoveAllAsync();
    }

    /// <summary>Makes the removals.</summary>
    /// <returns>False when the engine still cannot make one of them.</returns>
    public async Task<bool> MakeAsync(IStudyPersistence engine)
    {
        foreach (var (what, removal) in _removals)
        {
            if (!await removal(engine)) return false;
            _removals.TryRemove(new(what, removal));
        }
        return true;
    }
}
