using System.Collections.Immutable;
using System.IO.Compression;
using System.Net;
using System.Text;
using System.Text.Json.Nodes;
using Xunit;

namespace Proxy.Tests.Walks;

/// <summary>A complete reply as the client received it.</summary>
public sealed record Reply(HttpStatusCode Status, ImmutableDictionary<string, string[]> Headers, byte[] Body)
{
    public static async Task<Reply> ReadAsync(HttpResponseMessage response)
    {
        var body = await response.Content.ReadAsByteArrayAsync();
        var headers = response.Headers.NonValidated.Concat(response.Content.Headers.NonValidated);
        return new(
            response.StatusCode, headers.ToImmutableDictionary(h => h.Key, h => h.Value.ToArray(), StringComparer.OrdinalIgnoreCase), body);
    }

    public string Text => Encoding.UTF8.GetString(Body);

    public JsonNode Json => JsonNode.Parse(Body)!;

    /// <summary>The datasets of a DICOM JSON answer.</summary>
    public JsonArray Rows => Json as JsonArray ?? throw new InvalidOperationException($"not a list: {(int)Status} {Text}");

    public IReadOnlyList<string> Warnings => Headers.GetValueOrDefault("Warning", []);

    public string CacheStatus => this["Cache-Status"];

    /// <summary>The value of a header; empty if it is missing.</summary>
    public string this[string header] => string.Join(", ", Headers.GetValueOrDefault(header, []));

    /// <summary>A single-valued attribute of each row, as text.</summary>
    public IEnumerable<string?> Values(string tag) => Rows.Select(row => row![tag]?["Value"]?[0]?.ToString());

    /// <summary>The body with its Content-Encoding removed.</summary>
    public byte[] Unpacked
    {
        get
        {
            if (this["Content-Encoding"].Length == 0) return Body;
            using var packed = new MemoryStream(Body);
            using Stream unpacking = this["Content-Encoding"] == "br"
                ? new BrotliStream(packed, CompressionMode.Decompress)
                : new GZipStream(packed, CompressionMode.Decompress);
            using var unpacked = new MemoryStream();
            unpacking.CopyTo(unpacked);
            return unpacked.ToArray();
        }
    }

    /// <summary>
    /// The reply without its content coding, and with a fixed boundary of the same length: each multipart answer has a boundary of its own.
    /// </summary>
    public Reply Comparable
    {
        get
        {
            if (this["Content-Type"].Split("boundary=") is not [var type, var boundary]) return this with { Body = Unpacked };
            var other = new string('b', boundary.Length);
            return this with
            {
                Headers = Headers.SetItem("Content-Type", [$"{type}boundary={other}"]),
                Body = Encoding.Latin1.GetBytes(Encoding.Latin1.GetString(Unpacked).Replace(boundary, other, StringComparison.Ordinal)),
            };
        }
    }

    public void IsProblem(int status, string? names = null)
    {
        Assert.True(status == (int)Status, $"{(int)Status}: {Text}");
        Assert.StartsWith("application/problem+json", this["Content-Type"]);
        Assert.Equal("no-store", this["Cache-Control"]);
        Assert.Equal(status, (int)Json["status"]!);
        Assert.NotEmpty((string)Json["title"]!);
        Assert.NotEmpty((string)Json["detail"]!);
        if (names is not null) Assert.Contains(names, (string)Json["detail"]!);
    }
}

/// <summary>The parts of a multipart/related body, parsed strictly.</summary>
public static class Parts
{
    public static IReadOnlyList<(string Head, byte[] Body)> Read(Reply reply)
    {
        Assert.StartsWith("multipart/related", reply["Content-Type"]);
        var delimiter = "--" + reply["Content-Type"].Split("boundary=")[1].Trim('"');
        var text = Encoding.Latin1.GetString(reply.Body);
        Assert.StartsWith(delimiter + "\r\n", text);
        Assert.EndsWith($"\r\n{delimiter}--\r\n", text);
        var inner = text[(delimiter.Length + 2)..^(delimiter.Length + 6)];
        return [.. inner.Split($"\r\n{delimiter}\r\n").Select(
            part => part.Split("\r\n\r\n", 2)).Select(p => (p[0], Encoding.Latin1.GetBytes(p[1])))];
    }
}
