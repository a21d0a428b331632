using System.Net;
using System.Text;
using System.Text.Json.Nodes;

namespace Proxy.Integration;

/// <summary>A complete HTTP answer.</summary>
public sealed record Answer(string Url, HttpStatusCode Status, IReadOnlyDictionary<string, string> Headers, byte[] Body)
{
    public string Text => Encoding.UTF8.GetString(Body);

    public string ContentType => Headers.GetValueOrDefault("Content-Type", "");

    public string CacheStatus => Headers.GetValueOrDefault("Cache-Status", "");

    public JsonArray Datasets => JsonNode.Parse(Body)!.AsArray();

    /// <summary>Sends a GET and fails the test unless the answer is 200.</summary>
    public static async Task<Answer> GetAsync(HttpClient http, string url, string accept, CancellationToken cancellationToken)
    {
        var answer = await AskAsync(http, url, accept, cancellationToken);
        return answer.Status == HttpStatusCode.OK
            ? answer
            : throw new InvalidOperationException($"{answer.Status} from {url}: {answer.Text}");
    }

    public static async Task<Answer> AskAsync(HttpClient http, string url, string accept, CancellationToken cancellationToken)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, url);
        request.Headers.TryAddWithoutValidation("Accept", accept);
        using var answer = await http.SendAsync(request, cancellationToken);
        var headers = answer.Headers.NonValidated.Concat(answer.Content.Headers.NonValidated)
            .ToDictionary(h => h.Key, h => string.Join(", ", h.Value), StringComparer.OrdinalIgnoreCase);
        return new(url, answer.StatusCode, headers, await answer.Content.ReadAsByteArrayAsync(cancellationToken));
    }

    /// <summary>The parts of a <c>multipart/related</c> answer (RFC 2046 5.1.1), split by the boundary in its type.</summary>
    public IReadOnlyList<byte[]> Parts()
    {
        const string name = "boundary=";
        var start = ContentType.IndexOf(name, StringComparison.OrdinalIgnoreCase);
        if (start < 0 || !ContentType.StartsWith("multipart/related", StringComparison.OrdinalIgnoreCase))
            throw new InvalidDataException($"{Url} is not multipart/related but {ContentType}");
        var delimiter = Encoding.Latin1.GetBytes("--" + ContentType[(start + name.Length)..].Split(';')[0].Trim('"', ' '));

        var parts = new List<byte[]>();
        var rest = Body.AsSpan(Body.AsSpan().IndexOf(delimiter) + delimiter.Length);
        while (!rest.StartsWith("--"u8))
        {
            rest = rest[(rest.IndexOf("\r\n\r\n"u8) + 4)..];
            var end = rest.IndexOf([.. "\r\n"u8, .. delimiter]);
            parts.Add(rest[..end].ToArray());
            rest = rest[(end + 2 + delimiter.Length)..];
        }

        return parts;
    }
}
