using Proxy.Tests.Walks;
using Xunit;

namespace Proxy.Tests.Identity;

/// <summary>A browser: it keeps the cookies of one proxy and follows redirects when it opens a page.</summary>
public sealed class TestBrowser(ProxyHost proxy) : IDisposable
{
    private readonly HttpClient _others = new(new SocketsHttpHandler { AllowAutoRedirect = false });
    private readonly SortedDictionary<string, string> _cookies = [];

    /// <summary>The cookies, each with its attributes as they were set last.</summary>
    public Dictionary<string, string> SetCookies { get; } = [];

    /// <summary>The addresses of the last opened page, from the first to the last redirect.</summary>
    public List<string> Visited { get; } = [];

    /// <summary>Opens a page, and what it redirects to.</summary>
    public async Task<Reply> OpenAsync(string path)
    {
        Visited.Clear();
        var next = path;
        for (var hops = 0; ; hops++)
        {
            Assert.True(hops < 10, "endless redirects");
            Visited.Add(next);
            if (!next.StartsWith('/') && !next.StartsWith(proxy.Address, StringComparison.Ordinal))
            {
                using var redirect = await _others.GetAsync(new Uri(next), TestContext.Current.CancellationToken);
                next = redirect.Headers.Location!.ToString();
                continue;
            }
            next = next.Replace(proxy.Address, "", StringComparison.Ordinal);
            var reply = await SendAsync(HttpMethod.Get, next, ("Accept", "text/html,*/*;q=0.8"), ("Sec-Fetch-Mode", "navigate"));
            if ((int)reply.Status is not (302 or 303)) return reply;
            next = reply["Location"];
        }
    }

    /// <summary>Sends a request like a script.</summary>
    public Task<Reply> FetchAsync(string path) =>
        SendAsync(HttpMethod.Get, path, ("Accept", "application/json"), ("Sec-Fetch-Mode", "cors"), ("Sec-Fetch-Site", "same-origin"));

    /// <summary>Sends a request with the cookies.</summary>
    public async Task<Reply> SendAsync(HttpMethod method, string path, params (string Name, string Value)[] headers)
    {
        (string, string)[] cookies = _cookies.Count == 0 ? [] : [("Cookie", string.Join("; ", _cookies.Select(c => $"{c.Key}={c.Value}")))];
        var reply = await proxy.SendAsync(method, path, [.. headers, .. cookies]);
        foreach (var set in reply.Headers.GetValueOrDefault("Set-Cookie", []))
        {
            var (name, value) = (set.Split('=')[0], set.Split(';')[0].Split('=', 2)[1]);
            SetCookies[name] = set;
            if (value.Length == 0) _cookies.Remove(name);
            else _cookies[name] = value;
        }
        return reply;
    }

    /// <summary>Changes a cookie.</summary>
    public void Change(string name, Func<string, string> change) => _cookies[name] = change(_cookies[name]);

    /// <summary>Copies the cookies of another browser.</summary>
    public void CopyFrom(TestBrowser other)
    {
        foreach (var (name, value) in other._cookies) _cookies[name] = value;
    }

    public void Dispose() => _others.Dispose();
}
