namespace Proxy.Tests.Walks;

/// <summary>A user with a token, who sends requests to the proxy.</summary>
public sealed class ProxyUser(ProxyHost proxy, string token)
{
    /// <summary>The user's token.</summary>
    public string Token => token;

    public Task<Reply> GetAsync(string path, params (string Name, string Value)[] headers) => proxy.GetAsync(path, Add(headers));

    public Task<Reply> SendAsync(HttpMethod method, string path, (string Name, string Value)[] headers, string? body = null) =>
        proxy.SendAsync(method, path, Add(headers), body);

    public Task<Reply> PostAsync(string path, HttpContent body, params (string Name, string Value)[] headers) =>
        proxy.PostAsync(path, body, Add(headers));

    public Task<HttpResponseMessage> OpenAsync(string path, params (string Name, string Value)[] headers) =>
        proxy.OpenAsync(path, Add(headers));

    private (string, string)[] Add((string Name, string Value)[] headers) => [.. headers, ("Authorization", $"Bearer {token}")];
}
