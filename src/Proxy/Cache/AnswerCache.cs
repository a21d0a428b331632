using System.Diagnostics.CodeAnalysis;
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

/// <summary>The cached answers of one kind (<see cref="AnswerCache.For"/>).</summary>
/// <typeparam name="TKey">The key.</typeparam>
/// <typeparam name="TValue">The answer.</typeparam>
public readonly struct Answers<TKey, TValue> where TKey : class where TValue : class
{
    private readonly MemoryParts _memory;

    internal Answers(MemoryParts memory) => _memory = memory;

    /// <summary>Finds an answer and marks it as used.</summary>
    public bool TryFind(TKey key, [NotNullWhen(true)] out TValue? value) => _memory.TryFind(key, out value);

    /// <summary>Adds or replaces an answer, unless it is larger than an eighth of the budget.</summary>
    /// <param name="key">The key.</param>
    /// <param name="value">The answer.</param>
    /// <param name="bytes">The size of the answer, without the key.</param>
    /// <param name="lifetime">The time until the answer expires; null for none.</param>
    public void Add(TKey key, TValue value, long bytes, TimeSpan? lifetime = null) => _memory.Add(key, value, bytes, lifetime);

    /// <summary>Removes the answers whose keys match. Scans every key: for rare operations.</summary>
    public void RemoveWhere(Func<TKey, bool> matches) => _memory.RemoveWhere(key => key is TKey answer && matches(answer));

    /// <summary>All answers of this kind, without marking them as used.</summary>
    public IEnumerable<(TKey Key, TValue Value)> ReadAll() => _memory.ReadAll<TKey, TValue>();
}
