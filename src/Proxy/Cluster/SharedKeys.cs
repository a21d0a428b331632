using System.IO.Hashing;
using System.Text;
using System.Text.RegularExpressions;
using Proxy.Cache;
using StackExchange.Redis;

namespace Proxy.Cluster;

/// <summary>The keys in the engine. UIDs and names are hashed: a list of keys identifies no patient.</summary>
/// <remarks>
/// <code>
/// name:v1:{log}:epoch               a random number, new when the engine has lost its data
/// name:v1:{log}:seq                 the number of the last change
/// name:v1:{log}:changes             sorted set of changes, by number
/// name:v1:{S}:keys                  set of the keys of the bodies of study S; lives longer than each of them
/// name:v1:{S}:changed               epoch and number of the last change of the study: older writes are refused
/// name:v1:{S}:b:B:E:I:H             the head of a body of backend B, series E and instance I
/// name:v1:{S}:b:B:E:I:H:0 …         its bytes, 1 MiB each
/// </code>
/// The braces are a hash tag: all keys of a study are in one slot of a cluster of engines.
/// </remarks>
/// <param name="prefix">The name and the version.</param>
internal sealed class SharedKeys(string prefix)
{
    private const string AnyStudy = "{????????????????????????????????}", AnyPart = "[0-9a-f]+";

    /// <summary>The keys of the change log, as its scripts expect them.</summary>
    public RedisKey[] Log { get; } = [prefix + "{log}:epoch", prefix + "{log}:seq", prefix + "{log}:changes"];

    /// <summary>The channel that announces changes.</summary>
    public string Bell { get; } = prefix + "bell";

    /// <summary>The set with the keys of the bodies of a study.</summary>
    public RedisKey GetIndex(ReadOnlySpan<char> study) => $"{prefix}{{{Hash(study)}}}:keys";

    /// <summary>The position of the last change of a study.</summary>
    public RedisKey GetChanged(ReadOnlySpan<char> study) => $"{prefix}{{{Hash(study)}}}:changed";

    /// <summary>The head of a body.</summary>
    /// <param name="key">Its key, with the identity of the backend.</param>
    public string GetBody(EntryKey key)
    {
        var (format, parameters) = (key.Representation.Format, key.Representation.Parameters);
        var text = string.Join('\n', key.Backend, key.Path, format?.MediaType, format?.TransferSyntax, parameters);
        return $"{prefix}{{{Hash(key.Study)}}}:b:{HashPart(key.Backend)}:{HashPart(key.Series)}:{HashPart(key.Instance)}:{Hash(text)}";
    }

    /// <summary>Matches the keys of the bodies that a removal of a study selects.</summary>
    /// <param name="removal">The removal; its study is set.</param>
    /// <param name="identity">The identity of its backend; null for every backend.</param>
    public static Regex GetSelection(Removal removal, string? identity)
    {
        var (backend, series, instance) = (Select(identity), Select(removal.Series?.ToString()), Select(removal.Instance?.ToString()));
        return new(@"\}:b:" + $"{backend}:{series}:{instance}:", RegexOptions.CultureInvariant);
    }

    /// <summary>The pattern of the keys of all bodies, or of those of a backend.</summary>
    /// <param name="identity">The identity of the backend.</param>
    /// <param name="isOfBackend">True for those of a backend alone.</param>
    /// <returns>Null for a backend that has none.</returns>
    public string? FindPattern(string? identity, bool isOfBackend) =>
        !isOfBackend ? $"{prefix}{AnyStudy}:[bk]*" : identity is null ? null : $"{prefix}{AnyStudy}:b:{HashPart(identity)}:*";

    private static string Select(string? part) => part is null ? AnyPart : HashPart(part);

    private static string HashPart(ReadOnlySpan<char> text) => $"{XxHash3.HashToUInt64(GetBytes(text)):x16}";

    private static string Hash(ReadOnlySpan<char> text) => Convert.ToHexStringLower(XxHash128.Hash(GetBytes(text)));

    private static byte[] GetBytes(ReadOnlySpan<char> text)
    {
        var bytes = new byte[Encoding.UTF8.GetByteCount(text)];
        Encoding.UTF8.GetBytes(text, bytes);
        return bytes;
    }
}
