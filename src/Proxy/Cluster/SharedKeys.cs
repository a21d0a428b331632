using System.IO.Hashing;
using System.Text;
using Proxy.Cache;
using StackExchange.Redis;

namespace Proxy.Cluster;

/// <summary>The keys in the engine. UIDs and names are hashed: a list of keys identifies no patient.</summary>
/// <remarks>
/// <code>
/// name:v1:{log}:epoch         a random number, new when the engine has lost its data
/// name:v1:{log}:seq           the number of the last change
/// name:v1:{log}:changes       sorted set of changes, by number
/// name:v1:{S}:keys            set of the keys of the bodies of study S
/// name:v1:{S}:study           what backends said about the study
/// name:v1:{S}:b:H             the head of a body
/// name:v1:{S}:b:H:0 …         its bytes, 1 MiB each
/// </code>
/// The braces are a hash tag: all keys of a study are in one slot of a cluster of engines.
/// </remarks>
/// <param name="prefix">The name and the version.</param>
internal sealed class SharedKeys(string prefix)
{
    /// <summary>The keys of the change log, as its scripts expect them.</summary>
    public RedisKey[] Log { get; } = [prefix + "{log}:epoch", prefix + "{log}:seq", prefix + "{log}:changes"];

    /// <summary>The channel that announces changes.</summary>
    public string Bell { get; } = prefix + "bell";

    /// <summary>The pattern of all keys of studies.</summary>
    public string AllStudies { get; } = prefix + "{????????????????????????????????}:*";

    /// <summary>The set with the keys of the bodies of a study.</summary>
    public RedisKey GetIndex(ReadOnlySpan<char> study) => $"{prefix}{{{Hash(study)}}}:keys";

    /// <summary>What backends said about a study.</summary>
    public RedisKey GetStudy(ReadOnlySpan<char> study) => $"{prefix}{{{Hash(study)}}}:study";

    /// <summary>The head of a body.</summary>
    /// <param name="key">Its key, with the identity of the backend.</param>
    public string GetBody(EntryKey key)
    {
        var (format, parameters) = (key.Representation.Format, key.Representation.Parameters);
        var text = string.Join('\n', key.Backend, key.Path, format?.MediaType, format?.TransferSyntax, parameters);
        return $"{prefix}{{{Hash(key.Study)}}}:b:{Hash(text)}";
    }

    private static string Hash(ReadOnlySpan<char> text)
    {
        var bytes = new byte[Encoding.UTF8.GetByteCount(text)];
        Encoding.UTF8.GetBytes(text, bytes);
        return Convert.ToHexStringLower(XxHash128.Hash(bytes));
    }
}
