using Proxy.Wire.Part10;

namespace Proxy.Cache;

/// <summary>What moves from the disk into memory.</summary>
public sealed partial class EntryCache
{
    /// <summary>What is copied into memory lies there in arrays of this size.</summary>
    private const int PieceBytes = 1024 * 1024;

    /// <summary>Found on disk once, not long ago.</summary>
    private sealed record FoundOnDisk(EntryKey Key);

    /// <summary>
    /// What is found on disk for the second time within a while moves into memory, unless something was removed meanwhile: that may be it.
    /// </summary>
    private async ValueTask PromoteAsync(EntryKey key, ICachedBody body, int removals, CancellationToken cancellation)
    {
        var seen = new FoundOnDisk(key);
        if (!_memory.TryFind<FoundOnDisk>(seen, out _)) _memory.Add(seen, seen, 0);
        else if (body.Length <= Math.Min(HeldBytes, _memory.MaxEntryBytes)) await CopyAsync(key, body, cancellation);
        if (Volatile.Read(ref _removals) != removals) _memory.Remove(key);
    }

    /// <summary>Nothing is copied while too much is in flight, or when the disk does not give it any more.</summary>
    private async ValueTask CopyAsync(EntryKey key, ICachedBody body, CancellationToken cancellation)
    {
        if (!_memory.InFlight.TryReserve(body.Length)) return;
        try
        {
            if (await body.InspectAsync(readAt => Copy(readAt, body.Length), cancellation) is not { } pieces) return;
            var usage = new BodyUsage(_memory.InFlight, body.Length);
            _memory.Add(
                key, new Entry(body.Head, [.. pieces], body.Length, body.Stored!.Value, body.IsPrefetched) { Usage = usage }, body.Length);
        }
        finally
        {
            _memory.InFlight.Release(body.Length);
        }
    }

    /// <summary>All of it, in arrays; null when there is less than it says.</summary>
    private static List<ReadOnlyMemory<byte>>? Copy(ReadAt readAt, long length)
    {
        var pieces = new List<ReadOnlyMemory<byte>>();
        for (long at = 0; at < length;)
        {
            var piece = GC.AllocateUninitializedArray<byte>((int)Math.Min(PieceBytes, length - at));
            for (var filled = 0; filled < piece.Length;)
            {
                var count = readAt(at + filled, piece.AsSpan(filled));
                if (count == 0) return null;
                filled += count;
            }
            pieces.Add(piece);
            at += piece.Length;
        }
        return pieces;
    }
}
