using Proxy.Cache.InMemory;

namespace Proxy.Cache;

/// <summary>
/// Caches in memory what is derived from bodies and from the answers of backends: search results, ready answers, hints. All of it can be
/// rebuilt, so a purge clears it as a whole.
/// </summary>
/// <remarks>Bodies share the budget and the order of eviction; see <see cref="MemoryParts"/>.</remarks>
public sealed class AnswerCache(MemoryParts memory)
{
    /// <summary>The answers of one kind. The type of the key tells the kinds apart, so each kind has a key type of its own.</summary>
    /// <typeparam name="TKey">The key: a class with equality by value.</typeparam>
    /// <typeparam name="TValue">The answer, immutable.</typeparam>
    public Answers<TKey, TValue> For<TKey, TValue>() where TKey : class where TValue : class => new(memory);

    /// <summary>Removes the answers of every kind.</summary>
    public void Clear() => memory.RemoveWhere(static key => key is not EntryKey);
}
