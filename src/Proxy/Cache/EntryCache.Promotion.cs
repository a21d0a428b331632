using Proxy.Wire.Part10;

namespace Proxy.Cache;

/// <summary>Promotion of entries from disk to memory.</summary>
public sealed partial class EntryCache
{
    /// <summary>The array size of promoted bodies.</summary>
    private const int PieceBytes = 1024 * 1024;

    private readonly RecentFinds _finds = new();

    /// <summary>
    /// Promotes an entry that is found on disk for the second time in a while. A removal meanwhile undoes it: it may have meant this entry.
    /// </summary>
    private async ValueTask PromoteAsync(EntryKey key, ICachedBody body, int removals, CancellationToken cancellation)
    {
        if (_finds.Add(key) && body.Length <= Math.Min(HeldBytes, _memory.MaxEntryBytes)) await CopyAsync(key, body, cancellation);
        if (Volatile.Read(ref _removals) != removals) _memory.Remove(key);
    }

    /// <summary>Copies the body into memory, unless too many bytes are in flight or the disk fails.</summary>
    private async ValueTask CopyAsync(EntryKey key, ICachedBody body, CancellationToken cancellation)
    {
        if (!_memory.InFlight.TryReserve(body.Length)) return;
        try
        {
            if (await body.InspectAsync(readAt => Copy(readAt, body.Length), cancellation) is not { } pieces) return;
            var usage = new BodyUsage(_memory.InFlight, body.Length);
            _memory.Add(
                key, new Entry(body.Head, [.. pieces], body.Length, body.Stored!.Value, body.IsPrefetched) { Usage = usage });
        }
        finally
        {
            _memory.InFlight.Release(body.Length);
        }
    }

    /// <summary>Reads the whole body into arrays; null when it is shorter than its length.</summary>
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
