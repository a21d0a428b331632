namespace Proxy.Retrieve;

/// <summary>The requests for one study to several backends.</summary>
/// <param name="requests">The requests.</param>
internal sealed class StudyRequests(List<StudyRequest> requests) : IDisposable
{
    private readonly List<StudyRequest> _used = [];

    /// <summary>The requests.</summary>
    public IReadOnlyList<StudyRequest> All => requests;

    /// <summary>The request to a backend, which is used; null for none.</summary>
    public StudyRequest? Find(string backend)
    {
        if (requests.Find(request => request.Backend.Name == backend) is not { } found) return null;
        _used.Add(found);
        return found;
    }

    /// <summary>Adds a request, which is used.</summary>
    public StudyRequest Add(StudyRequest request)
    {
        requests.Add(request);
        _used.Add(request);
        return request;
    }

    /// <summary>Cancels the requests that are not used.</summary>
    public void DisposeOthers()
    {
        foreach (var request in requests.Except(_used)) request.Dispose();
        requests.RemoveAll(request => !_used.Contains(request));
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var request in requests) request.Dispose();
    }
}
