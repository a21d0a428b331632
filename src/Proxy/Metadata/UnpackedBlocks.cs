using System.Runtime.CompilerServices;

namespace Proxy.Metadata;

/// <summary>
/// The text of blocks that were unpacked of late: who reads a series instance by instance unpacks each block once, not twenty times.
/// </summary>
/// <remarks>A place is taken by whoever comes last, without a lock: at worst a block is unpacked again.</remarks>
internal static class UnpackedBlocks
{
    /// <summary>Two megabytes of blocks at most: a larger one is not kept.</summary>
    private const int MaxBytes = 256 * 1024;

    private static readonly Unpacked?[] Slots = new Unpacked?[16];

    private sealed record Unpacked(object Block, byte[] Text);

    public static byte[] Read<T>(T block, Func<T, byte[]> unpack) where T : class
    {
        ref var place = ref Slots[RuntimeHelpers.GetHashCode(block) % Slots.Length];
        if (Volatile.Read(ref place) is { } kept && ReferenceEquals(kept.Block, block)) return kept.Text;
        var text = unpack(block);
        if (text.Length <= MaxBytes) Volatile.Write(ref place, new(block, text));
        return text;
    }

    /// <summary>What was removed is not to lie about.</summary>
    public static void Clear() => Array.Clear(Slots);
}
