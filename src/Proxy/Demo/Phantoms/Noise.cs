namespace Proxy.Demo.Phantoms;

/// <summary>Reproducible noise: a hash of seed and index instead of a stateful generator.</summary>
internal static class Noise
{
    /// <summary>A hash of a seed and an index.</summary>
    public static uint Hash(uint seed, int index)
    {
        var h = (seed * 0x9E3779B1u) ^ ((uint)index * 0x85EBCA77u);
        h = (h ^ (h >> 15)) * 0x2C1B3C6Du;
        h = (h ^ (h >> 12)) * 0x297A2D39u;
        return h ^ (h >> 15);
    }

    /// <summary>Uniform noise from 0 to 1.</summary>
    public static float Even(uint seed, int index) => Hash(seed, index) * (1f / uint.MaxValue);

    /// <summary>Bell-shaped noise from -1 to 1: the mean of four uniform bytes.</summary>
    public static float Bell(uint seed, int index)
    {
        var h = Hash(seed, index);
        return ((int)((h & 255) + ((h >> 8) & 255) + ((h >> 16) & 255) + (h >> 24)) - 510) * (1f / 510);
    }
}
