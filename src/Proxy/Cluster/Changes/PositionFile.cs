using System.Globalization;
using System.Text;
using Proxy.Disk;

namespace Proxy.Cluster.Changes;

/// <summary>The position in the log up to which the data in the cache folder is purged, <c>cluster.position</c>.</summary>
/// <remarks>
/// <code>1 ⏎ prefix of the keys ⏎ epoch ⏎ number ⏎</code>
/// The file is replaced as a whole, after the changes up to the number were applied to the disk. A folder without the file has not been
/// in a cluster. A damaged file, or one of another cluster, is a position that no log has.
/// </remarks>
/// <param name="folder">The cache folder.</param>
/// <param name="prefix">The prefix of the keys.</param>
internal sealed class PositionFile(CacheFolder folder, string prefix)
{
    private const string Name = "cluster.position", Version = "1";

    private static readonly LogPosition InNoLog = new(Guid.Empty, 0);

    /// <summary>True when there is a cache folder.</summary>
    public bool IsUsed => folder.IsConfigured;

    /// <summary>Reads the file.</summary>
    /// <returns>Its position is null when there is no file. Null when the folder cannot be read now.</returns>
    public Task<Found?> ReadAsync(CancellationToken cancellation) => folder.RunAsync(Read, cancellation);

    /// <summary>Replaces the file.</summary>
    /// <returns>False when it cannot be written now.</returns>
    public async Task<bool> WriteAsync(LogPosition position, CancellationToken cancellation)
    {
        var text = string.Create(CultureInfo.InvariantCulture, $"{Version}\n{prefix}\n{position.Epoch:n}\n{position.Number}\n");
        return await folder.RunAsync(() => Write(text), cancellation, writes: true) is not null;
    }

    private string Write(string text)
    {
        folder.WriteWhole(Name, Encoding.UTF8.GetBytes(text));
        return Name;
    }

    private Found Read()
    {
        var path = folder.GetPath(Name);
        if (!File.Exists(path)) return new(null);
        return File.ReadAllText(path).Split('\n') is [Version, var name, var epoch, var number, ""] && name == prefix
            && Guid.TryParseExact(epoch, "n", out var read)
            && long.TryParse(number, NumberStyles.None, CultureInfo.InvariantCulture, out var last)
            ? new(new LogPosition(read, last))
            : new(InNoLog);
    }

    /// <summary>The content of the file.</summary>
    /// <param name="Position">The position; null when there is no file.</param>
    public sealed record Found(LogPosition? Position);
}
