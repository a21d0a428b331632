using System.Collections.Concurrent;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;
using Proxy.Operations;

namespace Proxy.Identity;

/// <summary>The SHA-256 of a credential, such as a token: what is remembered of it.</summary>
internal readonly record struct CredentialHash(long First, long Second, long Third, long Fourth)
{
    /// <summary>Hashes a credential as it was sent.</summary>
    public static CredentialHash Of(ReadOnlySpan<char> credential)
    {
        const int Small = 4096;
        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
        var length = Encoding.UTF8.GetMaxByteCount(credential.Length);
        Span<byte> bytes = length <= Small ? stackalloc byte[Small] : new byte[length];
        SHA256.HashData(bytes[..Encoding.UTF8.GetBytes(credential, bytes)], hash);
        return MemoryMarshal.Read<CredentialHash>(hash);
    }

    /// <summary>The hash in hexadecimal, for <see cref="Caller.Key"/>.</summary>
    public string ToKey() => Convert.ToHexStringLower(MemoryMarshal.AsBytes([First, Second, Third, Fourth]));

    /// <summary>The hash is uniform: a part of it suffices.</summary>
    public override int GetHashCode() => (int)First;
}

/// <summary>
/// The callers whose credentials were verified in the last minute, so that a request for a cached frame verifies no signature again.
/// </summary>
/// <remarks>
/// At most <see cref="MaxCallers"/>, in two generations: a full generation replaces the older one. Only verified credentials are
/// remembered, so that wrong ones cannot replace them. A change of the roles forgets all.
/// </remarks>
internal sealed class CallerCache(TimeProvider time, Reloadable<IdentityOptions> identity)
{
    /// <summary>The longest time for which a credential is not verified again.</summary>
    public static readonly TimeSpan Lifetime = TimeSpan.FromSeconds(60);

    /// <summary>The maximum number of callers.</summary>
    public const int MaxCallers = 20_000;

    private volatile Generations _generations = new(identity.Value);

    /// <summary>The caller with a verified credential; null if it has to be verified.</summary>
    public Caller? Find(in CredentialHash credential)
    {
        var generations = _generations;
        if (!ReferenceEquals(generations.Under, identity.Value)) return null;
        if (!generations.Young.TryGetValue(credential, out var known) && !generations.Old.TryGetValue(credential, out known)) return null;
        return time.GetUtcNow() < known.Until ? known.Caller : null;
    }

    /// <summary>Remembers a caller.</summary>
    /// <param name="credential">What was verified.</param>
    /// <param name="caller">Whose credential it is.</param>
    /// <param name="until">When the credential is no longer accepted.</param>
    public void Add(in CredentialHash credential, Caller caller, DateTimeOffset until)
    {
        var generations = _generations;
        if (!ReferenceEquals(generations.Under, identity.Value)) _generations = generations = new(identity.Value);
        else if (generations.Young.Count >= MaxCallers / 2) _generations = generations = generations.Next();
        var latest = time.GetUtcNow() + Lifetime;
        generations.Young[credential] = new(caller, until < latest ? until : latest);
    }

    private sealed record Known(Caller Caller, DateTimeOffset Until);

    private sealed record Generations(IdentityOptions Under)
    {
        public ConcurrentDictionary<CredentialHash, Known> Young { get; } = new();

        public ConcurrentDictionary<CredentialHash, Known> Old { get; private init; } = new();

        public Generations Next() => new(Under) { Old = Young };
    }
}
