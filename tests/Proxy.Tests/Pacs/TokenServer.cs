using System.Globalization;
using System.Text;

namespace Proxy.Tests.Pacs;

/// <summary>A token endpoint that gives <c>token-1</c>, <c>token-2</c> and so on, and fails on demand.</summary>
public sealed class TokenServer : IDisposable
{
    private readonly WireMockPacs _server = new();
    private int _given;

    public TokenServer() => Recover();

    public string Address => $"http://127.0.0.1:{_server.Port}/token";

    /// <summary>The life of a token in seconds, as the answer says it.</summary>
    public string Lifetime { get; set; } = "3600";

    /// <summary>All token requests.</summary>
    public IReadOnlyList<PacsRequest> Requests => _server.Requests;

    /// <summary>Uses the tokens of this endpoint for a backend.</summary>
    public Dictionary<string, string> GetSettings(string backend) => new()
    {
        [$"Backends:{backend}:Authentication:Scheme"] = "OAuth2",
        [$"Backends:{backend}:Authentication:TokenUrl"] = Address,
        [$"Backends:{backend}:Authentication:ClientId"] = "proxy",
        [$"Backends:{backend}:Authentication:ClientSecret"] = "s3cret of canary",
        [$"Backends:{backend}:Authentication:Scopes"] = "dicom.read dicom.write",
        [$"Backends:{backend}:Authentication:Audience"] = "urn:pacs",
    };

    /// <summary>Holds token requests at a gate.</summary>
    public Gate Hang() => _server.Hang("/token");

    public void Fail(PacsAnswer answer) => _server.Respond(answer);

    public void Recover()
    {
        _server.Recover();
        _server.Respond(_ => PacsAnswer.Text(200, "application/json", string.Create(
            CultureInfo.InvariantCulture,
            $$"""{"access_token":"token-{{Interlocked.Increment(ref _given)}}","token_type":"bearer","expires_in":{{Lifetime}}}""")));
    }

    /// <summary>The user and the password of a request, before they are encoded.</summary>
    public static string ReadClient(PacsRequest request)
    {
        var client = Convert.FromBase64String(request.Headers["Authorization"]["Basic ".Length..]);
        return Uri.UnescapeDataString(Encoding.UTF8.GetString(client).Replace('+', ' '));
    }

    public void Dispose() => _server.Dispose();
}
