// Applies the templates of ../templates to the conversations of ../conversations.json with Go's own text/template, as
// Ollama does, and writes ../expected.json. Run it after a change of either: `go run oracle/main.go` in the folder above.
package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/template"
	"text/template/parse"
	"time"
)

type arguments map[string]any

func (a arguments) String() string { return compact(a) }

type call struct {
	ID       string `json:"id,omitempty"`
	Function struct {
		Index     int       `json:"index"`
		Name      string    `json:"name"`
		Arguments arguments `json:"arguments"`
	} `json:"function"`
}

type message struct {
	Role       string `json:"role"`
	Content    string `json:"content"`
	Thinking   string `json:"thinking"`
	ToolCalls  []call `json:"tool_calls"`
	ToolName   string `json:"tool_name"`
	ToolCallID string `json:"tool_call_id"`
}

type property struct {
	Type        string `json:"type"`
	Description string `json:"description"`
}

type function struct {
	Name        string `json:"name"`
	Description string `json:"description"`
	Parameters  struct {
		Type       string              `json:"type"`
		Required   []string            `json:"required"`
		Properties map[string]property `json:"properties"`
	} `json:"parameters"`
}

// The client's own order of keys is what our templates print.
type tool struct {
	Type     string   `json:"type"`
	Function function `json:"function"`
}

func (t tool) String() string     { return compact(t) }
func (f function) String() string { return compact(f) }

type tools []tool

func (t tools) String() string { return compact(t) }

type conversation struct {
	Messages []message `json:"messages"`
	Tools    tools     `json:"tools"`
	Think    *bool     `json:"think"`
}

func compact(value any) string {
	data, err := json.Marshal(value)
	must(err)
	return string(data)
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

func collate(messages []message) (string, []message) {
	var systems []string
	var collated []message
	for _, m := range messages {
		if m.Role == "system" {
			systems = append(systems, m.Content)
		}
		last := len(collated) - 1
		if last >= 0 && collated[last].Role == m.Role && m.Role != "tool" {
			collated[last].Content += "\n\n" + m.Content
		} else {
			collated = append(collated, m)
		}
	}
	return strings.Join(systems, "\n\n"), collated
}

// The names of all fields in a template.
func fields(node parse.Node, found map[string]bool) {
	switch n := node.(type) {
	case *parse.ListNode:
		if n != nil {
			for _, child := range n.Nodes {
				fields(child, found)
			}
		}
	case *parse.ActionNode:
		fields(n.Pipe, found)
	case *parse.IfNode:
		branch(&n.BranchNode, found)
	case *parse.RangeNode:
		branch(&n.BranchNode, found)
	case *parse.WithNode:
		branch(&n.BranchNode, found)
	case *parse.PipeNode:
		for _, command := range n.Cmds {
			for _, argument := range command.Args {
				fields(argument, found)
			}
		}
	case *parse.FieldNode:
		for _, name := range n.Ident {
			found[name] = true
		}
	case *parse.VariableNode:
		for _, name := range n.Ident {
			found[name] = true
		}
	case *parse.ChainNode:
		fields(n.Node, found)
		for _, name := range n.Field {
			found[name] = true
		}
	}
}

func branch(n *parse.BranchNode, found map[string]bool) {
	fields(n.Pipe, found)
	fields(n.List, found)
	fields(n.ElseList, found)
}

// Takes away what stands behind the first action that writes the response.
func cut(list *parse.ListNode, done *bool) {
	var kept []parse.Node
	for _, node := range list.Nodes {
		if *done {
			break
		}
		kept = append(kept, node)
		switch n := node.(type) {
		case *parse.ActionNode:
			found := map[string]bool{}
			fields(n.Pipe, found)
			*done = found["Response"]
		case *parse.IfNode:
			cut(n.List, done)
			if n.ElseList != nil {
				cut(n.ElseList, done)
			}
		}
	}
	list.Nodes = kept
}

func parseTemplate(source string) *template.Template {
	day := func() string { return time.Now().Format("2006-01-02") }
	t, err := template.New("").Option("missingkey=zero").Funcs(template.FuncMap{"json": compact, "currentDate": day}).Parse(source)
	must(err)
	return t
}

func render(source string, c conversation) string {
	t := parseTemplate(source)
	found := map[string]bool{}
	for _, each := range t.Templates() {
		fields(each.Tree.Root, found)
	}
	fields(t.Tree.Root, found)
	if !found["Messages"] && !found["Response"] {
		t = parseTemplate(source + "{{ .Response }}")
	}
	var out bytes.Buffer
	system, messages := collate(c.Messages)
	think := c.Think == nil || *c.Think
	if found["Messages"] {
		must(t.Execute(&out, map[string]any{"System": system, "Messages": messages, "Tools": c.Tools, "Response": "", "Think": think, "IsThinkSet": true}))
		return out.String()
	}
	isFirst := true
	values := map[string]any{}
	clear := func() { values["System"], values["Prompt"], values["Response"] = "", "", "" }
	execute := func() {
		values["First"] = isFirst
		must(t.Execute(&out, values))
		clear()
		isFirst = false
	}
	clear()
	for _, m := range messages {
		switch m.Role {
		case "system":
			if values["Prompt"] != "" || values["Response"] != "" {
				execute()
			}
			values["System"] = m.Content
		case "user":
			if values["Response"] != "" {
				execute()
			}
			values["Prompt"] = m.Content
		case "assistant":
			values["Response"] = m.Content
		}
	}
	done := false
	cut(t.Tree.Root, &done)
	execute()
	return out.String()
}

func main() {
	data, err := os.ReadFile("conversations.json")
	must(err)
	conversations := map[string]conversation{}
	must(json.Unmarshal(data, &conversations))
	paths, err := filepath.Glob("templates/*.gotmpl")
	must(err)
	slices.Sort(paths)
	expected := map[string]map[string]string{}
	for _, path := range paths {
		source, err := os.ReadFile(path)
		must(err)
		name := strings.TrimSuffix(filepath.Base(path), ".gotmpl")
		expected[name] = map[string]string{}
		for title, c := range conversations {
			expected[name][title] = render(string(source), c)
		}
	}
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	must(encoder.Encode(expected))
	must(os.WriteFile("expected.json", out.Bytes(), 0o644))
}
