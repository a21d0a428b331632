using System.CommandLine;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Proxy.Cli;

/// <summary>Asks the running proxy. Every failure is a <see cref="CommandException"/> that says what to do.</summary>
internal sealed class ProxyClient : IDisposable
{
    /// <summary>The largest answer that a command reads: a list of some thousand studies.</summary>
    private const int MaxBytes = 64 * 1024 * 1024;

    private readonly string _url;
    private readonly string? _token;
    private readonly HttpClient _http;

    /// <summary>Creates a client for a command.</summary>
    /// <param name="parsed">The command line, which may name a file with a token.</param>
    /// <param name="url">The address of the proxy.</param>
    /// <exception cref="CommandException">The file with the token cannot be read.</exception>
    public static ProxyClient Create(ParseResult parsed, string url)
    {
        var token = Environment.GetEnvironmentVariable("PROXY_TOKEN");
        if (parsed.GetValue<string>(CommonOptions.TokenFile) is { } file)
        {
            try
            {
                token = File.ReadAllText(file);
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException)
            {
                throw new CommandException($"{CommonOptions.TokenFile}: {file} cannot be read.");
            }
        }
        return new(url, token?.Trim());
    }

    /// <summary>Creates a client.</summary>
    /// <param name="url">The address of the proxy.</param>
    /// <param name="token">The user's bearer token; null or empty for none.</param>
    public ProxyClient(string url, string? token = null)
    {
        if (token is not null && token.Any(c => char.IsControl(c) || char.IsWhiteSpace(c)))
            throw new CommandException("The token has several lines or words: the file or PROXY_TOKEN contains the token alone.");
        _token = token;
        _url = url.TrimEnd('/');
        _http = new HttpClient(new SocketsHttpHandler { UseProxy = false, AllowAutoRedirect = false, UseCookies = false })
        {
            Timeout = TimeSpan.FromMinutes(2),
            MaxResponseContentBufferSize = MaxBytes,
        };
    }

    /// <summary>Sends a request, and reads the answer as JSON; null for an answer without content.</summary>
    /// <param name="method">The method.</param>
    /// <param name="path">The path and query.</param>
    /// <param name="body">The body in JSON; null for none.</param>
    /// <param name="cancellation">Cancels the request.</param>
    /// <returns>The answer, and its <c>Warning</c> headers as texts.</returns>
    /// <exception cref="CommandException">No proxy answers, or it refuses.</exception>
    public async Task<(JsonNode? Json, IReadOnlyList<string> Warnings)> AskAsync(
        HttpMethod method, string path, JsonNode? body, CancellationToken cancellation)
    {
        using var request = new HttpRequestMessage(method, _url + path);
        if (!string.IsNullOrEmpty(_token)) request.Headers.TryAddWithoutValidation("Authorization", "Bearer " + _token);
        if (body is not null) request.Content = new StringContent(body.ToJsonString(), Encoding.UTF8, "application/json");
        if (method == HttpMethod.Get) request.Headers.TryAddWithoutValidation("Accept", "application/dicom+json, application/json");
        try
        {
            using var response = await _http.SendAsync(request, cancellation);
            var text = await response.Content.ReadAsStringAsync(cancellation);
            if (!response.IsSuccessStatusCode) throw new CommandException(DescribeRefusal((int)response.StatusCode, text));
            return (text.Length == 0 ? null : JsonNode.Parse(text), ReadWarnings(response));
        }
        catch (HttpRequestException e)
        {
            var isRefused = e.InnerException is SocketException { SocketErrorCode: SocketError.ConnectionRefused };
            var reason = isRefused ? "nothing listens there" : Terminal.Clean(e.Message, 200);
            throw new CommandException($"No proxy answers at {_url} ({reason}): start it, or name its address with --url or PROXY_URL.");
        }
        catch (JsonException)
        {
            throw new CommandException($"{_url} answers, but not like this proxy: name its address with --url or PROXY_URL.");
        }
        catch (TaskCanceledException) when (!cancellation.IsCancellationRequested)
        {
            throw new CommandException($"The proxy at {_url} does not answer in time.");
        }
    }

    /// <summary>Sends a GET request.</summary>
    public async Task<JsonNode> GetAsync(string path, CancellationToken cancellation) =>
        (await AskAsync(HttpMethod.Get, path, null, cancellation)).Json
            ?? throw new CommandException($"{_url} answers without content: name the address of the proxy with --url.");

    /// <inheritdoc/>
    public void Dispose() => _http.Dispose();

    private string DescribeRefusal(int status, string text)
    {
        string? detail = null;
        try
        {
            if (JsonNode.Parse(text) is JsonObject problem) detail = (string?)problem["detail"] ?? (string?)problem["title"];
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            // Not a problem document: the status has to do.
        }
        var cleaned = detail is null ? "" : $" ({Terminal.Clean(detail, 400)})";
        if (status == 401)
        {
            return string.IsNullOrEmpty(_token)
                ? $"The proxy at {_url} authenticates users: name a file with your token with --token-file, or set PROXY_TOKEN."
                : $"The proxy at {_url} does not accept your token{cleaned}: get a new one.";
        }
        if (status == 403) return $"The proxy at {_url} does not allow this{cleaned}.";
        return $"The proxy at {_url} answers {status}{(detail is null ? "." : ": " + Terminal.Clean(detail, 400))}";
    }

    // Warning: 299 Proxy "text" (RFC 7234 §5.5)
    private static IReadOnlyList<string> ReadWarnings(HttpResponseMessage response) =>
        response.Headers.NonValidated.TryGetValues("Warning", out var values)
            ? [.. values.Select(value => value[Math.Max(value.IndexOf('"', StringComparison.Ordinal), 0)..].Trim('"'))]
            : [];
}
