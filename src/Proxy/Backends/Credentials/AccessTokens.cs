using Proxy.Operations;

namespace Proxy.Backends.Credentials;

/// <summary>An access token.</summary>
/// <param name="Value">The token, a secret.</param>
/// <param name="RenewAt">When 80 % of its life are over: it is renewed while it is still used.</param>
/// <param name="Expires">When it may not be used any more.</param>
internal sealed record AccessToken(string Value, DateTimeOffset RenewAt, DateTimeOffset Expires)
{
    public static AccessToken Create(string value, TimeSpan lifetime, DateTimeOffset now) =>
        new(value, now + lifetime * 0.8, now + lifetime);

    /// <summary>Hides the token.</summary>
    public override string ToString() => $"expires {Expires:u}";
}

/// <summary>The access tokens of one backend (OAuth 2.0 client credentials, RFC 6749 §4.4).</summary>
/// <remarks>
/// <code>
/// 1 valid       the token is used; from 80 % of its life, one request for the next one runs in the background
/// 2 none        all requests wait for one token request
/// 3 refused     after 401 of the backend, one token request; then the answer stands for 30 s
/// 4 failed      the token endpoint is not asked again for 5 s, then 10 s, at most 60 s; requests fail at once meanwhile
/// </code>
/// </remarks>
internal sealed class AccessTokens(TokenRequest tokens, string backend, TimeProvider time, ILogger log) : ICredential
{
    private static readonly TimeSpan FirstPause = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan MaxPause = TimeSpan.FromSeconds(60);

    /// <summary>A backend that refuses fresh tokens does not cause more token requests than one in this time.</summary>
    private static readonly TimeSpan RenewalPause = TimeSpan.FromSeconds(30);

    private readonly Lock _lock = new();
    private AccessToken? _token;
    private Task<TokenAnswer>? _running;
    private string _failure = "";
    private int _failures;
    private DateTimeOffset _askAgainAt;
    private DateTimeOffset _renewAgainAt;

    public async ValueTask AddAsync(HttpRequestMessage request, CancellationToken cancellation)
    {
        var token = FindValid(out var running);
        if (token is null)
        {
            // 2
            var answer = running is null ? new(null, _failure) : await running.WaitAsync(cancellation);
            token = answer.Token ?? throw new NoCredentialException("no access token: " + answer.Error, isOfCaller: false);
        }
        request.Replace("Authorization", "Bearer " + token.Value);
    }

    public async ValueTask<bool> RenewAsync(HttpRequestMessage refused, CancellationToken cancellation)
    {
        var used = refused.Headers.NonValidated["Authorization"].ToString();
        Task<TokenAnswer>? running;
        lock (_lock)
        {
            // Another request has renewed it meanwhile.
            if (_token is { } token && used != "Bearer " + token.Value) return true;
            // 3
            var now = time.GetUtcNow();
            if (_running is null && now >= _renewAgainAt)
            {
                _renewAgainAt = now + RenewalPause;
                Start(now);
            }
            running = _running;
        }
        return running is not null && await running.WaitAsync(cancellation) is { Token: not null };
    }

    public void Dispose() => tokens.Dispose();

    private AccessToken? FindValid(out Task<TokenAnswer>? running)
    {
        lock (_lock)
        {
            var now = time.GetUtcNow();
            var valid = _token is { } token && now < token.Expires ? token : null;
            // 1
            if (_running is null && (valid is null || now >= valid.RenewAt)) Start(now);
            running = _running;
            return valid;
        }
    }

    /// <summary>Starts a token request, unless one failed recently. The caller holds the lock.</summary>
    private void Start(DateTimeOffset now)
    {
        // 4
        if (now < _askAgainAt) return;
        // It belongs to no request: neither to its trace nor to its caller.
        using (ExecutionContext.SuppressFlow()) _running = Task.Run(AskAsync);
    }

    private async Task<TokenAnswer> AskAsync()
    {
        var answer = await tokens.AskAsync();
        lock (_lock)
        {
            _running = null;
            if (answer.Token is not null)
            {
                (_token, _failures, _askAgainAt) = (answer.Token, 0, default);
                return answer;
            }
            var pause = TimeSpan.FromTicks(Math.Min(MaxPause.Ticks, FirstPause.Ticks << Math.Min(_failures, 10)));
            (_failure, _failures, _askAgainAt) = (answer.Error, _failures + 1, time.GetUtcNow() + pause);
            log.TokenRequestFailed(backend, answer.Error, (int)pause.TotalSeconds);
            return answer;
        }
    }
}
