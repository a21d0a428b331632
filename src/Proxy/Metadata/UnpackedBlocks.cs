using System.Runtime.CompilerServices;

namespace Proxy.Metadata;

/// <summary>
/// Caches the text of recently unpacked blocks: reading a series instance by instance unpacks each block once and not twenty times.
/// </summary>
/// <remarks>The last writer takes a slot, without a lock: at worst a block is unpacked again.</remarks>
internal static class UnpackedBlocks
{
    /// <summary>The maximum length of a cached text; all slots together hold at most 4 MiB.</summary>
    private const int MaxBytes = 256 * 1024;

    private static readonly Unpacked?[] Slots = new Unpacked?[16];

    private sealed record Unpacked(object Block, byte[] Text);

    /// <summary>The cached text of a block, or the result of <paramref name="unpack"/>.</summary>
    public static byte[] Read<T>(T block, Func<T, byte[]> unpack) where T : class
    {
        ref var slot = ref Slots[RuntimeHelpers.GetHashCode(block) % Slots.Length];
        if (Volatile.Read(ref slot) is { } cached && ReferenceEquals(cached.Block, block)) return cached.Text;
        var text = unpack(block);
        if (text.Length <= MaxBytes) Volatile.Write(ref slot, new(block, text));
        return text;
    }

    /// <summary>Drops all texts, so that no removed data stays in memory.</summary>
    public static void Clear() => Array.Clear(Slots);
}
