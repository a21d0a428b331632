using System.Buffers.Text;
using System.Collections.Concurrent;
using System.Collections.Frozen;
using System.IO.Compression;
using System.Security.Cryptography;
using System.Text;
using Microsoft.Net.Http.Headers;
using Proxy.Operations;

namespace Proxy.Admin;

/// <summary>The files of the pages, embedded in the program.</summary>
/// <remarks>
/// Documents name their scripts and styles below <c>{version}</c>, a hash of the content of all files, so that a browser keeps these for
/// ever and loads the new ones after an upgrade. Scripts import each other by relative addresses, which stay below the same version.
/// </remarks>
internal sealed class PageFiles
{
    private const string Placeholder = "{version}";

    private static readonly string[] Folders = ["page/", "look/"];

    private readonly FrozenDictionary<string, PageFile> _files;

    private PageFiles(string version, IEnumerable<KeyValuePair<string, byte[]>> files)
    {
        Version = version;
        _files = files.ToFrozenDictionary(
            file => file.Key, file => new PageFile(GetType(file.Key), IsDocument(file.Key) ? SetVersion(file.Value) : file.Value));
    }

    /// <summary>The hash of the content of all files, as it is written in addresses.</summary>
    public string Version { get; }

    /// <summary>Reads all files from the program.</summary>
    public static PageFiles Read()
    {
        var assembly = typeof(PageFiles).Assembly;
        var files = new SortedDictionary<string, byte[]>(StringComparer.Ordinal);
        // A build on Windows writes the folders of resources with a backslash.
        foreach (var resource in assembly.GetManifestResourceNames())
        {
            var name = resource.Replace('\\', '/');
            if (!Folders.Any(folder => name.StartsWith(folder, StringComparison.Ordinal))) continue;
            using var stream = assembly.GetManifestResourceStream(resource)!;
            var bytes = new byte[stream.Length];
            stream.ReadExactly(bytes);
            files.Add(name, bytes);
        }
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (var (name, bytes) in files)
        {
            hash.AppendData(Encoding.UTF8.GetBytes(name));
            hash.AppendData(bytes);
        }
        return new(Convert.ToHexStringLower(hash.GetHashAndReset().AsSpan(0, 8)), files);
    }

    /// <summary>Finds a file by its name with its folder; null for none.</summary>
    public PageFile? Find(string name) => _files.GetValueOrDefault(name);

    private static bool IsDocument(string name) => name.EndsWith(".html", StringComparison.Ordinal);

    private static string GetType(string name) => Path.GetExtension(name) switch
    {
        ".html" => "text/html; charset=utf-8",
        ".js" => "text/javascript; charset=utf-8",
        ".css" => "text/css; charset=utf-8",
        _ => "text/plain; charset=utf-8",
    };

    private byte[] SetVersion(byte[] document) =>
        Encoding.UTF8.GetBytes(Encoding.UTF8.GetString(document).Replace(Placeholder, Version, StringComparison.Ordinal));
}

/// <summary>A file of a page. It is compressed once for each coding that a browser asks for.</summary>
/// <param name="Type">The media type.</param>
/// <param name="Bytes">The content.</param>
internal sealed record PageFile(string Type, byte[] Bytes)
{
    private readonly ConcurrentDictionary<Coding, byte[]> _encoded = new() { [Coding.Identity] = Bytes };
    private readonly string _tag = Base64Url.EncodeToString(SHA256.HashData(Bytes).AsSpan(0, 12));

    /// <summary>Answers a request with the file, or with 304 if the client has it.</summary>
    public IResult Answer(HttpContext context)
    {
        var coding = context.Request.ChooseCoding();
        var headers = context.Response.Headers;
        headers.Vary = HeaderNames.AcceptEncoding;
        if (coding != Coding.Identity) headers.ContentEncoding = Codings.GetName(coding);
        return TypedResults.Bytes(
            _encoded.GetOrAdd(coding, Encode), Type, entityTag: new EntityTagHeaderValue($"\"{_tag}{Codings.GetName(coding)}\""));
    }

    private byte[] Encode(Coding coding)
    {
        using var encoded = new MemoryStream();
        using (Stream encoder = coding == Coding.Brotli
            ? new BrotliStream(encoded, CompressionLevel.SmallestSize, leaveOpen: true)
            : new GZipStream(encoded, CompressionLevel.SmallestSize, leaveOpen: true))
            encoder.Write(Bytes);
        return encoded.ToArray();
    }
}
